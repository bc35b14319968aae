"""`parley conformance`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

import typer

if TYPE_CHECKING:
    from toolbox.conformance import Case, Result, Target

_PATIENCE_S: Final = 15.0

app = typer.Typer(no_args_is_help=True, add_completion=False)

Address = Annotated[str, typer.Option("--target", metavar="HOST:PORT", help="The server to examine.")]
Tls = Annotated[bool, typer.Option("--tls", help="Speak TLS, checked against the system's roots.")]
Only = Annotated[list[str] | None, typer.Option(metavar="CASE", help="Run this case alone. Repeatable.")]
List = Annotated[bool, typer.Option("--list", help="Say what the cases are and what they check; run none.")]
Patience = Annotated[
    float, typer.Option(min=0.1, metavar="SECONDS", help="How long the server may take for any one answer.")
]
Pid = Annotated[int | None, typer.Option(min=2, help="The server's process on this machine.")]
Drain = Annotated[
    bool, typer.Option("--drain", help="As the last case end that process with SIGTERM and see that it drains.")
]
Otlp = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="Receive OTLP/gRPC here, where the server exports its spans."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else there.")]
JUnit = Annotated[Path | None, typer.Option("--junit", dir_okay=False, help="Also write JUnit's XML to this file.")]


@app.callback()
def conformance() -> None:
    """Examine a speech server: does it keep the contract that Parley's services rely on?

    Only the contract is needed, so any server in any language can be examined. Run it against one that is idle: slots
    are counted. Exits with 1 when a case failed.
    """


@app.command()
def stt(
    target: Address = "127.0.0.1:50052",
    tls: Tls = False,
    only: Only = None,
    list_cases: List = False,
    patience: Patience = _PATIENCE_S,
    pid: Pid = None,
    drain: Drain = False,
    otlp: Otlp = None,
    junit: JUnit = None,
    json: Json = False,
) -> None:
    """Examine a speech-to-text server (parley.stt.v1).

    It is spoken to by the embedded English voice, in silence, in pieces of every size, by clients that err, vanish or
    do not read, and by as many at once as it says that it serves.
    """
    from toolbox.conformance.stt import CASES, SttPeer  # noqa: PLC0415 - help is instant

    asked = _Asked(target, tls, only or (), patience, pid, drain, otlp)
    _examine("parley.stt.v1", CASES, SttPeer, asked, list_cases=list_cases, junit=junit, json=json)


@app.command()
def tts(
    target: Address = "127.0.0.1:50053",
    tls: Tls = False,
    only: Only = None,
    list_cases: List = False,
    patience: Patience = _PATIENCE_S,
    pid: Pid = None,
    drain: Drain = False,
    otlp: Otlp = None,
    junit: JUnit = None,
    json: Json = False,
) -> None:
    """Examine a text-to-speech server (parley.tts.v1).

    It is given texts of every length and script, whole and letter by letter, by clients that err, vanish, interrupt or
    do not read, and by as many at once as it says that it serves.
    """
    from toolbox.conformance.tts import CASES, TtsPeer  # noqa: PLC0415 - help is instant

    asked = _Asked(target, tls, only or (), patience, pid, drain, otlp)
    _examine("parley.tts.v1", CASES, TtsPeer, asked, list_cases=list_cases, junit=junit, json=json)


@dataclass(frozen=True)
class _Asked:
    """What to examine, and how, as the command line says."""

    target: str
    tls: bool
    only: Sequence[str]
    patience_s: float
    pid: int | None
    drain: bool
    otlp: str | None

    def checked(self, names: Collection[str]) -> Self:
        """Itself. Raises BadParameter for what does not go together."""
        unknown = sorted(set(self.only) - set(names))
        if unknown:
            raise typer.BadParameter(f"there is no case called {', '.join(unknown)}; see --list", param_hint="--only")
        if self.drain and self.pid is None:
            raise typer.BadParameter("say which process: --pid", param_hint="--drain")
        return self

    def differing(self) -> dict[str, Any]:
        """What was given, for the report."""
        given = {name: value for name, value in asdict(self).items() if value and name != "target"}
        return given | ({"patience_s": self.patience_s} if self.patience_s != _PATIENCE_S else {})


def _examine(
    contract: str,
    cases: Sequence[Case[Any]],
    meet: Callable[[Target], Any],
    asked: _Asked,
    *,
    list_cases: bool,
    junit: Path | None,
    json: bool,
) -> None:
    from toolbox.bench.machine import machine  # noqa: PLC0415
    from toolbox.conformance import Report  # noqa: PLC0415
    from toolbox.output import print_json, result_console  # noqa: PLC0415
    from toolbox.version import parley_version  # noqa: PLC0415

    if list_cases:
        for case in cases:
            print(f"{case.name}\n    {case.where}: “{case.sentence}”")
        return
    asked.checked([case.name for case in cases])
    started = datetime.now(UTC)
    chosen = [case for case in cases if not asked.only or case.name in asked.only]
    try:
        results = asyncio.run(_run(chosen, meet, asked))
    except OSError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None
    report = Report(asked.target, contract, results)
    if junit is not None:
        junit.write_bytes(report.as_junit())
    if json:
        print_json(
            {
                "parley": parley_version(),
                "machine": machine(),
                "settings": asked.differing(),
                "started": started.isoformat(timespec="seconds"),
                "seconds": round((datetime.now(UTC) - started).total_seconds(), 1),
                **report.as_json(),
            }
        )
    else:
        report.show(result_console())
    raise typer.Exit(0 if report.ok else 1)


async def _run(cases: Sequence[Case[Any]], meet: Callable[[Target], Any], asked: _Asked) -> Sequence[Result]:
    from toolbox.conformance import Patience as Limits  # noqa: PLC0415
    from toolbox.conformance import Target, run_cases  # noqa: PLC0415
    from toolbox.conformance.progress import cases_shown  # noqa: PLC0415
    from toolbox.otlp import OtlpCollector  # noqa: PLC0415

    pid = asked.pid
    async with contextlib.AsyncExitStack() as stack:
        collector = await stack.enter_async_context(OtlpCollector(asked.otlp)) if asked.otlp else None
        target = Target(
            asked.target,
            tls=asked.tls,
            pid=pid,
            drain=None if pid is None or not asked.drain else (lambda: os.kill(pid, signal.SIGTERM)),
            collector=collector,
            patience=Limits(step_s=asked.patience_s, slot_s=asked.patience_s / 2),
        )
        show = stack.enter_context(cases_shown(len(cases)))
        return await run_cases(target, cases, meet, show)
