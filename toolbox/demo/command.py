"""``parley demo``."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from toolbox.bench.machine import machine
from toolbox.demo.report import show
from toolbox.demo.run import play
from toolbox.demo.scenario import CALL
from toolbox.output import error_console, print_json, result_console
from toolbox.phone import CallEndedError
from toolbox.serve import ServiceFailedError
from toolbox.version import parley_version

app = typer.Typer(add_completion=False)


@app.command()
def demo(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the WAV, traces and summary.  [default: parley-runs/<time>]")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Settings file, for other engines.", exists=True)] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="A setting, such as tts.voice=en-gb. Repeatable. orchestrator.stt.target=HOST:PORT (or tts) takes a "
            "server of your own in place of ours.",
        ),
    ] = None,
) -> None:
    """Play one call end to end on this machine: no account, no network, no download.

    Four real services, the demo brain and a simulated telephone line: a greeting, three questions (one takes a while
    and is bridged by a filler), a story that goes on after an "uh-huh" and stops for "stop please", a farewell. Leaves
    a two-channel WAV (caller left, agent right), the turns' traces as OTLP JSON and a summary. Exits with 1 when a line
    was misunderstood or went unanswered.
    """
    console = error_console() if as_json else result_console()
    started = datetime.now(UTC)
    folder = out or Path("parley-runs") / started.strftime("%Y%m%d-%H%M%S")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        result = asyncio.run(play(CALL, folder, console, settings=setting or (), config=config))
    except ServiceFailedError as error:
        console.print(f"[bold red]✗[/bold red] {error}", highlight=False)
        raise typer.Exit(1) from None
    except (CallEndedError, TimeoutError) as error:
        why = str(error) or "the agent stayed silent or did not hang up in time"
        console.print(f"[bold red]✗[/bold red] the call broke down: {why}; see {folder / 'services.log'}")
        raise typer.Exit(1) from None
    report = {
        "parley": parley_version(),
        "machine": machine(),
        "settings": dict(one.partition("=")[::2] for one in setting or ()),
        "started": started.isoformat(timespec="seconds"),
        "seconds": round((datetime.now(UTC) - started).total_seconds(), 1),
        **result.as_json(),
    }
    (folder / "summary.json").write_text(json.dumps(report, indent=1, ensure_ascii=False), encoding="utf-8")
    show(console, result.turns, result.barge_in_ms, result.problems, resumed=result.resumed)
    console.print(f"\nengines: {', '.join(f'{kind} {name}' for kind, name in result.engines.items())}")
    console.print(f"left in {folder}: call.wav · traces.json · summary.json · calls/ · services.log", soft_wrap=True)
    if as_json:
        print_json(report)
    raise typer.Exit(0 if result.ok else 1)
