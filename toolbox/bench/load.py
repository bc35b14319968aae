"""`parley bench load`: callers against the set-up, and what all of it measured."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from servicekit import semconv
from toolbox.bench.distribution import Distribution, distribution
from toolbox.bench.machine import Occasion
from toolbox.bench.scenario import CallRecord, LoadRecord, LoadScenario
from toolbox.bench.service_metrics import HistogramState, newest_histogram
from toolbox.bench.setup import NO_DELAYS, BenchSetup, EngineDelays, bench_setup
from toolbox.bench.usage import Usage, measured_usage

# Processes whose cost is Parley's; the brain and the callers stand for the outside world and are shown apart.
_OURS = ("gateway", "orchestrator", "stt", "tts")
_LOOPS = ("gateway", "orchestrator")
# The last export of every service comes within its interval of a second.
_LAST_EXPORT_S = 1.5


class BenchError(Exception):
    """The bench itself failed; the message says how."""


@dataclass(frozen=True)
class LoadPlan:
    """What `bench load` was asked for. Times in seconds unless named otherwise."""

    calls: int = 10
    turns: int = 10
    minutes: float = 0.0
    interrupt_every: int = 2
    delays: EngineDelays = NO_DELAYS
    config: Path | None = None
    settings: tuple[str, ...] = ()
    seed: int = 1

    @property
    def expected_turns(self) -> int:
        """About how many turns there will be, for a progress bar."""
        asked = round(self.minutes * 60 / 8) if self.minutes else self.turns
        return self.calls * (asked + (asked // self.interrupt_every if self.interrupt_every else 0))

    def differences(self) -> dict[str, Any]:
        """What differs from the default."""
        default = LoadPlan()
        names = ("calls", "turns", "minutes", "interrupt_every", "seed")
        changed = {name: getattr(self, name) for name in names if getattr(self, name) != getattr(default, name)}
        if self.delays != default.delays:
            changed["engine_delays_ms"] = vars(self.delays)
        return changed | dict(setting.split("=", 1) for setting in self.settings)


async def measure_load(plan: LoadPlan, on_turns: Callable[[int], None]) -> dict[str, Any]:
    """Run a plan and return the report, as `docs/` and the other benches shape it.

    Args:
        plan: What to run.
        on_turns: Given the number of finished turns whenever it grows.

    Raises:
        ServiceFailedError: A process of the set-up cannot start.
        BenchError: The callers' process failed.
    """
    occasion = Occasion()
    async with bench_setup(calls=plan.calls, delays=plan.delays, config=plan.config, settings=plan.settings) as setup:
        # What is loaded, connected and compiled on a process's first call belongs to its start.
        await _call(setup, LoadScenario(**_to(setup), calls=1, turns=1, interrupt_every=1), lambda turns: None)
        before = _histograms(setup)
        async with measured_usage(setup.pids) as usage:
            record = await _call(
                setup,
                LoadScenario(
                    **_to(setup),
                    calls=plan.calls,
                    turns=plan.turns,
                    until_s=plan.minutes * 60,
                    interrupt_every=plan.interrupt_every,
                    seed=plan.seed,
                ),
                on_turns,
            )
        await asyncio.sleep(_LAST_EXPORT_S)
        after = _histograms(setup)
    return {
        **occasion.head(plan.differences()),
        **_figures(record, usage),
        "loop_lag_ms": {name: after[name].since(before[name]) for name in _LOOPS},
        "glue_ms": after["glue"].since(before["glue"]),
    }


def _figures(record: LoadRecord, usage: Usage) -> dict[str, Any]:
    calls = record.calls
    minutes = sum(call.seconds for call in calls) / 60
    frames = sum(call.frames for call in calls)
    cpu = {name: seconds / minutes if minutes else None for name, seconds in usage.cpu_s.items()}
    ours = [cpu[name] for name in _OURS]
    return {
        "calls": len(calls),
        "turns": sum(call.turns for call in calls),
        "calls_failed": sum(1 for call in calls if call.failure and not call.refused),
        "calls_refused": sum(1 for call in calls if call.refused),
        "turns_unanswered": sum(call.turns_unanswered for call in calls),
        "turns_cut_off": sum(call.turns_cut_off for call in calls),
        "interruptions_missed": sum(call.interruptions_missed for call in calls),
        "call_minutes": round(minutes, 2),
        "response_latency_ms": _all(calls, "response_latency_ms"),
        "barge_in_ms": _all(calls, "barge_in_ms"),
        "frames_late_20ms_pct": round(100 * sum(call.frames_late for call in calls) / frames, 2) if frames else None,
        "frames": frames,
        "cpu_s_per_call_minute": {
            **{name: _rounded(cpu[name]) for name in _OURS},
            "total": _rounded(sum(share for share in ours if share is not None)) if minutes else None,
            "brain": _rounded(cpu.get("brain")),
            "client": _rounded(record.client_cpu_s / minutes if minutes else None),
        },
        "client_frames_late_20ms_pct": round(record.client_late_frames_pct, 2),
        "rss_mb": {
            **{name: round(usage.rss_mb[name], 1) for name in _OURS},
            "total": round(sum(usage.rss_mb[name] for name in _OURS), 1),
            "brain": round(usage.rss_mb["brain"], 1),
        },
        "failures": sorted({call.failure for call in calls if call.failure})[:10],
    }


def _all(calls: list[CallRecord], name: str) -> Distribution:
    return distribution([value for call in calls for value in getattr(call, name)])


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _histograms(setup: BenchSetup) -> Mapping[str, HistogramState]:
    exports = setup.collector.metrics
    states = {name: newest_histogram(exports, f"parley-{name}", semconv.METRIC_LOOP_LAG) for name in _LOOPS}
    states["glue"] = newest_histogram(exports, "parley-orchestrator", semconv.METRIC_TURN_GLUE)
    return states


def _to(setup: BenchSetup) -> dict[str, Any]:
    return {
        "webhook_url": setup.webhook_url,
        "account_sid": setup.account_sid,
        "auth_token": setup.auth_token,
        "to": setup.to,
    }


async def _call(setup: BenchSetup, scenario: LoadScenario, on_turns: Callable[[int], None]) -> LoadRecord:
    """Run a scenario in the callers' process; ends with it when a process of the set-up dies."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "toolbox.bench.caller"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 26,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(scenario.model_dump_json().encode())
        process.stdin.close()
        async for line in process.stdout:
            told = json.loads(line)
            if "turns" in told:
                on_turns(told["turns"])
            else:
                return LoadRecord.model_validate(told["record"])
        raise BenchError(f"the callers' process ended with status {await process.wait()} and without a record")
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
