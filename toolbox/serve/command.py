"""`parley serve`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from toolbox.serve.running import Serving, serve_until_stopped
from toolbox.serve.standard import SERVICES, elsewhere

app = typer.Typer(add_completion=False)


@app.command()
def serve(
    config: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Settings file. Without it, parley.toml of this folder is taken where there is one.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="SECTION.KEY=VALUE",
            help="One setting, over file and environment. Repeatable. orchestrator.stt.target=HOST:PORT (or tts) takes "
            "a server of your own in place of ours.",
        ),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="SERVICE", help=f"Leave one out, because it runs elsewhere: {', '.join(SERVICES)}."),
    ] = None,
    json_logs: Annotated[
        bool, typer.Option("--json-logs", help="Pass the services' logs on as they are, one JSON object a line.")
    ] = False,
    ready_timeout: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="How long each service may take to become ready.")
    ] = 120.0,
    stop_timeout: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long live calls may take to end after Ctrl-C.")
    ] = 40.0,
) -> None:
    """Run gateway, orchestrator, speech-to-text and text-to-speech on this machine.

    They are four processes: each is started again when it ends, with growing pauses. Their logs come as one on
    standard output. Ctrl-C lets live calls end and stops all; a second Ctrl-C stops them at once.
    """
    unknown = sorted(set(without or ()) - set(SERVICES))
    if unknown:
        raise typer.BadParameter(f"there is no service called {', '.join(unknown)}", param_hint="--without")
    left_out = {*(without or ()), *elsewhere(settings or ())}
    if config is None and Path("parley.toml").is_file():
        config = Path("parley.toml")
    sys.exit(
        asyncio.run(
            serve_until_stopped(
                Serving(
                    config=config,
                    settings=tuple(settings or ()),
                    services=tuple(name for name in SERVICES if name not in left_out),
                    json_logs=json_logs,
                    ready_timeout_s=ready_timeout,
                    stop_timeout_s=stop_timeout,
                )
            )
        )
    )
