"""What a setting buys and costs: the same corpus under many settings, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.engine import EngineSettings
from toolbox.bench.turn_taking import figures
from toolbox.bench.turn_taking.corpus import LEAVES_FLOOR, CaseKind
from toolbox.bench.turn_taking.observation import CallObservations
from toolbox.bench.turn_taking.pure import JudgedCall, Models, run_corpus

_UNFINISHED = (CaseKind.PAUSE_SHORT, CaseKind.PAUSE_LONG, CaseKind.DICTATION)

Changes = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Variant:
    """One set of settings, named by what differs; ``changes`` by section."""

    name: str
    changes: Changes = field(default_factory=dict)

    def over(self, settings: EngineSettings) -> EngineSettings:
        """These settings with the changes made; the rest stays."""
        sections = {
            section: getattr(settings, section).model_copy(update=values) for section, values in self.changes.items()
        }
        return settings.model_copy(update=sections)


def _endpoint(finalize: float, complete: float, unfinished: float) -> Variant:
    values = {"finalize_after_ms": finalize, "complete_ms": complete, "unfinished_ms": unfinished}
    return Variant(f"{finalize:g}/{complete:g}/{unfinished:g}", {"endpointing": values})


ENDPOINTING = (
    Variant("default"),
    _endpoint(80, 160, 800),
    _endpoint(96, 200, 1000),
    _endpoint(96, 220, 1200),
    _endpoint(128, 220, 1300),
    _endpoint(120, 250, 1400),
    _endpoint(140, 300, 1500),
    _endpoint(140, 400, 1500),
    _endpoint(140, 500, 1800),
    _endpoint(140, 700, 2000),
)
"""finalize_after / complete / unfinished, in ms."""
BARGE_IN = (
    Variant("default"),
    *(Variant(f"pause {ms}", {"barge_in": {"pause_ms": float(ms)}}) for ms in (96, 128, 160, 192, 256, 320, 400)),
)


def sweep_endpointing(
    corpus: Sequence[JudgedCall],
    settings: EngineSettings,
    models: Models,
    *,
    workers: int = 1,
    on_case: Callable[[int], None] = lambda done: None,
) -> list[dict[str, Any]]:
    """Response latency against false cut-offs, one point a variant."""
    calls = [call for call in corpus if call.brief]
    results = run_corpus(calls, [one.over(settings) for one in ENDPOINTING], models, workers=workers, on_case=on_case)
    return [_endpointing_point(variant, seen) for variant, seen in zip(ENDPOINTING, results, strict=True)]


def sweep_barge_in(
    corpus: Sequence[JudgedCall],
    settings: EngineSettings,
    models: Models,
    *,
    workers: int = 1,
    on_case: Callable[[int], None] = lambda done: None,
) -> list[dict[str, Any]]:
    """Barge-in latency against audible hiccups, one point a variant."""
    calls = [call for call in corpus if not call.brief]
    results = run_corpus(calls, [one.over(settings) for one in BARGE_IN], models, workers=workers, on_case=on_case)
    return [_barge_in_point(variant, seen) for variant, seen in zip(BARGE_IN, results, strict=True)]


def cases_of_sweeps(corpus: Sequence[JudgedCall]) -> int:
    """How many cases both sweeps play, for a progress bar."""
    brief = sum(len(call.cases) for call in corpus if call.brief)
    other = sum(len(call.cases) for call in corpus if not call.brief)
    return brief * len(ENDPOINTING) + other * len(BARGE_IN)


def _endpointing_point(variant: Variant, seen: Sequence[CallObservations]) -> dict[str, Any]:
    cases = [case for call in seen for case in call.cases]
    by_class = figures.classes(cases)
    unfinished = [case for case in cases if case.kind in _UNFINISHED]
    complete = by_class.get("complete", {})
    return {
        "settings": variant.name,
        "changes": variant.changes,
        "response_latency_ms": complete.get("response_latency_ms"),
        "false_cutoff_pct": {
            "all_unfinished": _pct(sum(1 for case in unfinished if case.cut_off_ms is not None), len(unfinished)),
            **{kind.value: by_class.get(kind.value, {}).get("false_cutoff_pct") for kind in _UNFINISHED},
        },
        "clause_cut_pct": by_class.get("pause_clause", {}).get("cut_pct"),
    }


def _barge_in_point(variant: Variant, seen: Sequence[CallObservations]) -> dict[str, Any]:
    by_class = figures.classes([case for call in seen for case in call.cases])
    interruption = by_class.get("interruption", {})
    return {
        "settings": variant.name,
        "changes": variant.changes,
        "barge_in_ms": interruption.get("barge_in_ms"),
        "missed_pct": interruption.get("missed_pct"),
        "hiccup_pct": {kind.value: by_class.get(kind.value, {}).get("hiccup_pct") for kind in LEAVES_FLOOR},
        "cancelled_pct": {kind.value: by_class.get(kind.value, {}).get("cancelled_pct") for kind in LEAVES_FLOOR},
    }


def _pct(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 2) if whole else None
