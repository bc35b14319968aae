"""``parley replay``."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def replay(
    logs: Annotated[list[Path], typer.Argument(metavar="LOG…", help="Event logs, or folders that hold some.")],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="A setting of turn-taking to change. Repeatable."),
    ] = None,
    timeline: Annotated[
        Path | None, typer.Option(help="Draw the call into this HTML file; with several logs, into files beside it.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else there.")
    ] = False,
) -> None:
    """Replay recorded calls in virtual time and say what would differ.

    \b
    A call is recorded while the orchestrator has a folder for it:
      parley serve --set orchestrator.event_log.folder=logs
      parley replay logs
      parley replay logs --set endpointing.complete_ms=350 --set barge_in.preset=steady
      parley replay logs/20260102T…-CA….events.jsonl --timeline call.html

    First every recorded event is given to the engine of this version with the recorded settings: it should decide as
    the recorded one did. Exits with 1 where it does not. With --set the call is then played through again: the caller
    speaks as recorded; recogniser, brain, voice and line answer as they did in the recorded call, as far as it holds an
    answer. Turns for which it holds none are marked with the reason. Without transcripts in the log all this works the
    same: it holds stand-ins for the words.
    """
    from orchestrator.event_log import EventLogError  # noqa: PLC0415 - help is instant
    from servicekit.settings import SettingsError  # noqa: PLC0415
    from toolbox.bench.machine import machine  # noqa: PLC0415
    from toolbox.output import error_console, print_json, result_console  # noqa: PLC0415
    from toolbox.replay.report import show  # noqa: PLC0415
    from toolbox.replay.run import changed_settings, logs_in, replay_all, write_timelines  # noqa: PLC0415
    from toolbox.version import parley_version  # noqa: PLC0415

    console = error_console() if json else result_console()
    started, began = datetime.now(UTC), time.monotonic()
    try:
        calls = replay_all(logs_in(logs), settings or ())
    except (EventLogError, SettingsError) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from None
    changed = changed_settings(calls, settings or ())
    show(console, calls, changed)
    if timeline is not None:
        for drawn in write_timelines(calls, timeline):
            console.print(f"timeline: {drawn}", soft_wrap=True)
    if json:
        print_json(
            {
                "parley": parley_version(),
                "machine": machine(),
                "settings": dict(one.partition("=")[::2] for one in settings or ()),
                "started": started.isoformat(timespec="seconds"),
                "seconds": round(time.monotonic() - began, 2),
                "changed": changed,
                "calls": [one.as_json() for one in calls],
            }
        )
    raise typer.Exit(1 if any(one.difference is not None for one in calls) else 0)
