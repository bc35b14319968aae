"""`parley bench turn-taking`: what was asked for, run, and put together as one report."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrator.settings import OrchestratorSettings
from servicekit.settings import SECTIONS, Problem, SettingsError, load
from toolbox.bench.distribution import distribution
from toolbox.bench.machine import machine
from toolbox.bench.turn_taking import figures, targets
from toolbox.bench.turn_taking.corpus import PURE_COUNTS, REAL_COUNTS, CaseKind, Counts, Half, some
from toolbox.bench.turn_taking.observation import CallObservations, Observation, SpeculationCount
from toolbox.bench.turn_taking.pure import JudgedCall, Models, judged_corpus, run_corpus
from toolbox.bench.turn_taking.real import RealResult, run_real
from toolbox.bench.turn_taking.sweep import cases_of_sweeps, sweep_barge_in, sweep_endpointing
from toolbox.version import parley_version

_SHORT_PURE, _SHORT_REAL = 1 / 12, 1 / 14
# Every point of a sweep is a whole run: a third of the corpus tells them apart.
_SWEEP_SHARE = 1 / 3
_SWEEP_SHARE_SHORT = 1 / 30
_PURE_STT_MS = 80.0

Say = Callable[[str, int], Callable[[int], None]]
"""Begins a part of the work: its name and how many steps it has; returns what to tell the number of steps done to."""


def kinds_named(names: Sequence[str]) -> tuple[CaseKind, ...]:
    """The classes of these names.

    Raises:
        ValueError: There is no such class; the message lists those there are.
    """
    known = {kind.value: kind for kind in CaseKind}
    for name in names:
        if name not in known:
            raise ValueError(f"no class is called {name!r}: there are {', '.join(known)}")
    return tuple(known[name] for name in names)


@dataclass(frozen=True)
class TurnTakingPlan:
    """What `bench turn-taking` was asked for; `half` TUNING is for choosing settings, never for reporting."""

    oracle_ms: float | None = None
    pure: bool = False
    short: bool = False
    sweep: bool = False
    tuning: bool = False
    parallel: int = 6
    seed: int = 1
    config: Path | None = None
    settings: tuple[str, ...] = ()
    kinds: tuple[CaseKind, ...] = ()
    """Classes to play; none means all."""
    cache: Path | None = None
    keep: Path | None = None
    """Where single observations, and in real time the calls' event logs, are kept; None keeps neither."""

    @property
    def half(self) -> Half:
        """The half of the corpus that is played."""
        return Half.TUNING if self.tuning else Half.REPORTING

    @property
    def pure_counts(self) -> Counts:
        """Cases of each class in virtual time."""
        return self._chosen(some(PURE_COUNTS, _SHORT_PURE) if self.short else PURE_COUNTS)

    @property
    def real_counts(self) -> Counts:
        """Cases of each class in real time."""
        return self._chosen(some(REAL_COUNTS, _SHORT_REAL) if self.short else REAL_COUNTS)

    def _chosen(self, counts: Counts) -> Counts:
        return {kind: count for kind, count in counts.items() if kind in self.kinds} if self.kinds else counts

    def differences(self) -> dict[str, Any]:
        """What differs from the default."""
        default = TurnTakingPlan()
        names = ("oracle_ms", "pure", "short", "sweep", "tuning", "parallel", "seed")
        changed = {name: getattr(self, name) for name in names if getattr(self, name) != getattr(default, name)}
        if self.kinds:
            changed["classes"] = [kind.value for kind in self.kinds]
        return changed | dict(setting.split("=", 1) for setting in self.settings)


async def measure_turn_taking(plan: TurnTakingPlan, say: Say) -> dict[str, Any]:
    """Run a plan and return the report, as `docs/` and the other benches shape it.

    Raises:
        ServiceFailedError: A process of the house cannot start.
        servicekit.settings.SettingsError: The settings are wrong.
    """
    started, began = datetime.now(UTC), time.monotonic()
    pure = await asyncio.to_thread(_measure_pure, plan, say)
    report: dict[str, Any] = {
        "parley": parley_version(),
        "machine": machine(),
        "settings": plan.differences(),
        "started": started.isoformat(timespec="seconds"),
        "half": plan.half.value,
        "seed": plan.seed,
    }
    if plan.pure:
        report |= {"mode": "pure", "stt": "oracle", **pure}
    else:
        report |= {"mode": "real", "stt": "embedded" if plan.oracle_ms is None else "oracle"}
        report |= await _measure_real(plan, say)
        report["pure"] = {name: pure[name] for name in ("classes", "speculation", "targets", "models_ms", "seconds")}
        report |= {name: pure[name] for name in ("sweep",) if name in pure}
    report["seconds"] = round(time.monotonic() - began, 1)
    return report


# ------------------------------------------------------------------------------------------------------- virtual time


def _measure_pure(plan: TurnTakingPlan, say: Say) -> dict[str, Any]:
    engine = load(
        "orchestrator", OrchestratorSettings, config=plan.config, overrides=_of_orchestrator(plan.settings)
    ).service
    models = Models(stt_ms=_PURE_STT_MS if plan.oracle_ms is None else plan.oracle_ms)
    workers = os.cpu_count() or 1
    corpus = _corpus(plan, plan.pure_counts, say, workers)
    cases = sum(len(call.cases) for call in corpus)
    began = time.monotonic()
    (seen,) = run_corpus(corpus, [engine], models, workers=workers, on_case=say("cases in virtual time", cases))
    took = time.monotonic() - began
    _keep(plan, "pure", seen)
    by_class = figures.classes(_cases(seen))
    result: dict[str, Any] = {
        "classes": by_class,
        "speculation": figures.speculation(_speculation(seen)),
        "targets": targets.judged(by_class),
        "models_ms": {"stt": models.stt_ms, "brain": models.brain_ms, "voice": models.voice_ms, "line": models.line_ms},
        "latencies_ms": _latencies(_cases(seen)),
        "seconds": round(took, 1),
    }
    if plan.sweep:
        share = _SWEEP_SHARE_SHORT if plan.short else _SWEEP_SHARE
        swept = _corpus(plan, some(PURE_COUNTS, share), say, workers)
        told = say("cases of the sweep", cases_of_sweeps(swept))
        endpointing = sweep_endpointing(swept, engine, models, workers=workers, on_case=told)
        before = sum(len(call.cases) for call in swept if call.brief) * len(endpointing)
        barge_in = sweep_barge_in(swept, engine, models, workers=workers, on_case=lambda done: told(before + done))
        result["sweep"] = {"endpointing": endpointing, "barge_in": barge_in}
    return result


def _corpus(plan: TurnTakingPlan, counts: Counts, say: Say, workers: int) -> list[JudgedCall]:
    told: list[Callable[[int], None]] = []

    def on_call(done: int, calls: int) -> None:
        if not told:
            told.append(say("calls of the corpus made", calls))
        told[0](done)

    return judged_corpus(counts, plan.half, plan.seed, cache=plan.cache, workers=workers, on_call=on_call)


def _of_orchestrator(settings: Sequence[str]) -> list[str]:
    """Those of the engine's own service; the other services' mean nothing in virtual time."""
    strays = [setting for setting in settings if setting.split(".", 1)[0] not in SECTIONS]
    if strays:
        remedy = f"begin with {', '.join(SECTIONS)}: orchestrator.endpointing.complete_ms=300"
        raise SettingsError(
            Problem(stray.split("=", 1)[0], "no service has such a section", remedy) for stray in strays
        )
    return [setting for setting in settings if setting.startswith("orchestrator.")]


# ---------------------------------------------------------------------------------------------------------- real time


async def _measure_real(plan: TurnTakingPlan, say: Say) -> dict[str, Any]:
    cases = sum(plan.real_counts.values())
    result = await run_real(
        plan.real_counts,
        plan.half,
        plan.seed,
        parallel=plan.parallel,
        # Short calls are done side by side sooner.
        per_call=3 if plan.short else 6,
        oracle_ms=plan.oracle_ms,
        config=plan.config,
        settings=plan.settings,
        keep=plan.keep,
        on_cases=say("cases in real time", cases),
    )
    _keep(plan, "real", result.calls)
    seen = _cases(result.calls)
    by_class = figures.classes(seen)
    if "complete" in by_class:
        by_class["complete"] |= {"glue_ms": result.glue_ms, "timings_ms": _timings(seen)}
    return {
        "classes": by_class,
        "speculation": figures.speculation(_speculation(result.calls)),
        "targets": targets.judged(by_class),
        "latencies_ms": _latencies(seen),
        **_health(result),
    }


def _timings(seen: Sequence[Observation]) -> dict[str, Any]:
    """The engine's own stages of complete utterances, ms after the end of speech as it saw it."""
    names = ("stt_final", "commit", "llm_first_content", "first_clause", "tts_first_audio", "first_frame_sent")
    engines = [one.engine for one in seen if one.kind.value == "complete" and one.engine is not None]
    return {
        "eos": 0,
        **{
            name: distribution([ms for engine in engines if (ms := getattr(engine, name)) is not None])
            for name in names
        },
    }


def _health(result: RealResult) -> dict[str, Any]:
    calls = result.calls
    return {
        "calls": len(calls),
        "calls_failed": sum(1 for call in calls if call.failure),
        "cases_not_played": sum(call.left for call in calls),
        "failures": sorted({call.failure for call in calls if call.failure})[:10],
        "loop_lag_ms": result.loop_lag_ms,
        "client_frames_late_20ms_pct": result.client_frames_late_pct,
        "oracle_not_found": result.oracle_not_found,
    }


# --------------------------------------------------------------------------------------------------------------- both


def _keep(plan: TurnTakingPlan, mode: str, calls: Sequence[CallObservations]) -> None:
    """Write what was seen of each call as a line of JSON, so that a case that went wrong can be looked into."""
    if plan.keep is None:
        return
    plan.keep.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{call.model_dump_json()}\n" for call in calls)
    (plan.keep / f"observations-{mode}.jsonl").write_text(lines, encoding="utf-8")


def _cases(calls: Sequence[CallObservations]) -> list[Observation]:
    return [case for call in calls for case in call.cases]


def _speculation(calls: Sequence[CallObservations]) -> SpeculationCount:
    count = SpeculationCount()
    for call in calls:
        count.add(call.speculation)
    return count


def _latencies(seen: Sequence[Observation]) -> dict[str, list[float]]:
    """Single measurements, for the curves of the report: in order of size, a tenth of a millisecond exact."""
    complete = [ms for one in seen if one.kind.value == "complete" and (ms := one.response_latency_ms) is not None]
    barge_in = [one.barge_in_ms for one in seen if one.kind.value == "interruption" and one.barge_in_ms is not None]
    return {
        "response": sorted(round(ms, 1) for ms in complete),
        "barge_in": sorted(round(ms, 1) for ms in barge_in),
    }
