"""What `parley serve` does: one group, one log, one Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from servicekit.settings import ENVIRONMENT_PREFIX
from toolbox.output import error_console
from toolbox.serve.events import Happened, ServiceEvent, ServiceFailedError
from toolbox.serve.group import ServiceGroup
from toolbox.serve.merged_log import MergedLog
from toolbox.serve.spec import EXIT_SETTINGS
from toolbox.serve.standard import standard_specs

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Serving:
    """What was asked of `parley serve`. Times in seconds."""

    config: Path | None
    settings: tuple[str, ...]
    services: tuple[str, ...]
    json_logs: bool
    ready_timeout_s: float
    stop_timeout_s: float


async def serve_until_stopped(asked: Serving) -> int:
    """Run the services until a signal (returns 0) or until they fail (returns the process's exit status)."""
    log = MergedLog(asked.services, sys.stdout, raw=asked.json_logs)
    stderr = error_console()
    group = ServiceGroup(
        standard_specs(asked.services, keep=frozenset(_chosen(asked))),
        config=asked.config,
        # One process renders the merged log: this one.
        settings=("logs.format=json", *asked.settings),
        ready_timeout_s=asked.ready_timeout_s,
        stop_timeout_s=asked.stop_timeout_s,
        on_line=log.line,
        on_event=lambda event: _note(log, event),
    )
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            group.hurry()
        else:
            stderr.print("Stopping: live calls may end. Ctrl-C again stops at once.")
            stop.set()

    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, on_signal)
    running = asyncio.create_task(_run(group, asked))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
        running.cancel()
        stopping.cancel()
        results = await asyncio.gather(running, stopping, return_exceptions=True)
    finally:
        for number in _STOP_SIGNALS:
            loop.remove_signal_handler(number)
    failure = results[0]
    if isinstance(failure, ServiceFailedError):
        stderr.print(f"[bold red]{escape(str(failure))}[/]")
        return EXIT_SETTINGS if failure.status == EXIT_SETTINGS else 1
    if isinstance(failure, Exception):
        raise failure
    return 0


async def _run(group: ServiceGroup, asked: Serving) -> None:
    async with group:
        _show_banner(group, asked)
        await group.wait()


def _show_banner(group: ServiceGroup, asked: Serving) -> None:
    table = Table(title="Parley is running", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for heading in ("service", "listens on", "process"):
        table.add_column(heading, header_style="dim")
    for name, pid in group.pids().items():
        addresses = group.addresses()[name]
        table.add_row(f"[bold]{name}[/]", ", ".join(f"{key} {value}" for key, value in addresses.items()), str(pid))
    console = error_console()
    console.print(table)
    console.print(f"Settings: {asked.config or 'defaults and environment (no parley.toml here)'}")
    if "gateway" in asked.services:
        address = group.address("gateway")
        console.print(
            f"Twilio's voice webhook goes to [bold]/voice/webhook[/] on {address}, by way of your public URL."
        )
    console.print("Ctrl-C stops all.")


def _note(log: MergedLog, event: ServiceEvent) -> None:
    if event.happened is Happened.ENDED:
        log.note(event.service, f"ended with status {event.status}", level="error")
    elif event.happened is Happened.RESTARTING:
        log.note(event.service, f"starts again in {event.wait_s:.1f} s", level="warning")
    elif event.happened is Happened.KILLED:
        log.note(event.service, "did not stop in time and was killed", level="warning")


def _chosen(asked: Serving) -> Iterator[str]:
    """Names of the settings that somebody set, wherever."""
    if asked.config is not None:
        # The services will say what is wrong with it, each mistake by name.
        with contextlib.suppress(OSError, ValueError):
            yield from _names(tomllib.loads(asked.config.read_text(encoding="utf-8")))
    for name in os.environ:
        if name.startswith(ENVIRONMENT_PREFIX):
            yield name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", ".")
    for setting in asked.settings:
        yield setting.partition("=")[0]


def _names(table: Mapping[str, object], prefix: str = "") -> Iterator[str]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _names(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
