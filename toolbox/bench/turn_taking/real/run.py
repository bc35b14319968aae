"""All calls of a plan against real processes, so many at a time."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from servicekit import semconv
from toolbox.bench.service_metrics import newest_histogram
from toolbox.bench.turn_taking.corpus import CallPlan, Counts, Half, make_call, slots
from toolbox.bench.turn_taking.observation import CallObservations
from toolbox.bench.turn_taking.real.caller import LiveCaller, PlayedCase
from toolbox.bench.turn_taking.real.grammar import write_grammar
from toolbox.bench.turn_taking.real.house import CALLED, House, house
from toolbox.bench.turn_taking.real.line import CallerLine
from toolbox.bench.turn_taking.real.seeing import LoggedTurn, observe_call, read_turns
from toolbox.bench.turn_taking.replies import BRIEF, LONG, spoken_reply
from toolbox.phone import CallEndedError

_FIRST_CALLER = 15005552000
_CONNECT_S = 20.0
_LOG_WITHIN_S = 5.0
_LAST_EXPORT_S = 1.5
_LOOPS = ("gateway", "orchestrator")


@dataclass
class RealResult:
    """What a run saw, and what the services themselves measured meanwhile."""

    calls: list[CallObservations] = field(default_factory=list)
    glue_ms: Mapping[str, Any] | None = None
    loop_lag_ms: dict[str, Any] = field(default_factory=dict)
    client_frames_late_pct: float = 0.0
    oracle_not_found: int = 0


async def run_real(
    counts: Counts,
    half: Half,
    seed: int,
    *,
    parallel: int,
    per_call: int,
    oracle_ms: float | None,
    config: Path | None,
    settings: Sequence[str],
    keep: Path | None,
    on_cases: Callable[[int], None],
) -> RealResult:
    """Run a corpus: first the calls in which the caller has the floor, with short replies, then the others.

    ``keep`` is where the calls' event logs go, what was said included, for `parley replay`; None keeps none.

    Raises:
        ServiceFailedError: A process of the house cannot start.
    """
    result = RealResult()
    plans = [await asyncio.to_thread(make_call, members, half, seed) for members in slots(counts, half, seed, per_call)]
    late = frames = done = 0
    for reply, chosen in ((BRIEF, [p for p in plans if p.brief]), (LONG, [p for p in plans if not p.brief])):
        if not chosen:
            continue
        await asyncio.to_thread(spoken_reply, reply)
        with tempfile.TemporaryDirectory(prefix="parley-turns-") as folder:
            heard = await asyncio.to_thread(write_grammar, Path(folder), chosen) if oracle_ms is None else ()
            kept = _kept(keep / ("brief" if reply == BRIEF else "long")) if keep is not None else ()
            async with house(
                Path(folder),
                reply=reply,
                calls=parallel,
                oracle_ms=oracle_ms,
                config=config,
                settings=(*heard, *kept, *settings),
            ) as home:
                ward = _Ward(home, reply, parallel, on_cases, done)
                async with asyncio.TaskGroup() as calling:
                    tasks = [calling.create_task(ward.one(number, plan)) for number, plan in enumerate(chosen)]
                result.calls += [task.result() for task in tasks]
                done = ward.cases
                late, frames = late + ward.late, frames + ward.frames
                await asyncio.sleep(_LAST_EXPORT_S)
                _take_metrics(result, home, turns=reply == BRIEF)
                if home.oracle is not None:
                    result.oracle_not_found += home.oracle.not_found
    result.client_frames_late_pct = round(100 * late / frames, 2) if frames else 0.0
    return result


def _kept(folder: Path) -> tuple[str, ...]:
    return (
        f"orchestrator.event_log.folder={folder}",
        "orchestrator.event_log.transcripts=true",
        "orchestrator.event_log.keep_files=10000",
    )


def _take_metrics(result: RealResult, home: House, *, turns: bool) -> None:
    exports = home.collector.metrics
    empty = newest_histogram((), "", "")
    if turns or result.glue_ms is None:
        glue = newest_histogram(exports, "parley-orchestrator", semconv.METRIC_TURN_GLUE)
        result.glue_ms = glue.since(empty)
    for name in _LOOPS:
        result.loop_lag_ms[name] = newest_histogram(exports, f"parley-{name}", semconv.METRIC_LOOP_LAG).since(empty)


class _Ward:
    """Calls in progress; each is one task."""

    def __init__(self, home: House, reply: str, parallel: int, on_cases: Callable[[int], None], cases: int) -> None:
        self._home = home
        self._reply = spoken_reply(reply)
        self._room = asyncio.Semaphore(parallel)
        self._placing = asyncio.Lock()
        self._on_cases = on_cases
        self.cases = cases
        """Cases done, those before this ward included."""
        self.late = self.frames = 0

    async def one(self, number: int, plan: CallPlan) -> CallObservations:
        """Make one call and say what was seen of it; what goes wrong with it is in the record."""
        async with self._room:
            played: list[PlayedCase] = []
            failure = ""
            call = self._home.phone.call(to=CALLED, from_=f"+{_FIRST_CALLER + number}")
            line = CallerLine(call.handset, plan, self._reply)
            log: Path | None = None
            began_ms = 0.0
            if self._home.oracle is not None:
                self._home.oracle.lines.append(line)
            try:
                async with contextlib.AsyncExitStack() as stack:
                    # The log's name is the gateway's own id of the call. One call is placed at a time, so that the new
                    # file is this call's.
                    async with self._placing:
                        before = self._logs()
                        await stack.enter_async_context(call)
                        stream = await asyncio.wait_for(call.connected(), _CONNECT_S)
                        log = await self._new_log(before)
                    began_ms = stream.start_position / 8.0
                    await LiveCaller(call, line, plan).play(played)
            except (CallEndedError, TimeoutError) as error:
                failure = f"{type(error).__name__}: {error}"
            finally:
                if self._home.oracle is not None:
                    self._home.oracle.lines.remove(line)
            self.late += sum(1 for seconds in call.handset.lateness if seconds > 0.020)
            self.frames += len(call.handset.lateness)
            turns = await self._turns(log, began_ms) if log is not None else {}
            seen = observe_call(played, line, turns)
            seen.failure, seen.left = failure, len(plan.cases) - len(played)
            seen.call_log = log.name if log is not None else ""
            self.cases += len(plan.cases)
            self._on_cases(self.cases)
            return seen

    def _logs(self) -> set[Path]:
        return set(self._home.call_logs.glob("*.jsonl"))

    async def _new_log(self, before: set[Path]) -> Path:
        async with asyncio.timeout(_LOG_WITHIN_S):
            while not (new := await asyncio.to_thread(self._logs) - before):  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.02)
        return new.pop()

    async def _turns(self, log: Path, began_ms: float) -> dict[int, LoggedTurn]:
        """The log is written by a thread of the gateway: its last line comes a moment after the call."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOG_WITHIN_S):
                while '"kind": "end"' not in await asyncio.to_thread(log.read_text, "utf-8"):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        return await asyncio.to_thread(read_turns, log, began_ms)
