"""What the figures are held against, and how far they are from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolbox.bench.turn_taking.figures import ENOUGH_FOR_ONE_PERCENT


@dataclass(frozen=True)
class Target:
    """A bound on one figure: at most, or with ``least`` at least."""

    kind: str
    figure: tuple[str, ...]
    bound: float
    what: str
    least: bool = False
    percent: bool = False


TARGETS = (
    Target("complete", ("response_latency_ms", "p50"), 300, "complete utterances, response latency p50"),
    Target("complete", ("response_latency_ms", "p95"), 450, "complete utterances, response latency p95"),
    Target("complete", ("glue_ms", "p95"), 15, "complete utterances, glue p95"),
    Target("pause_short", ("false_cutoff_pct",), 3, "unfinished, pauses to 600 ms, false cut-offs", percent=True),
    Target("pause_long", ("false_cutoff_pct",), 8, "unfinished, pauses to 1200 ms, false cut-offs", percent=True),
    Target("pause_clause", ("joined_and_answered_pct",), 100, "after a clause, joined", least=True, percent=True),
    Target("pause_clause", ("cut_stopped_ms", "p95"), 260, "after a clause, the agent stops again p95"),
    Target("interruption", ("barge_in_ms", "p50"), 180, "interruptions, barge-in p50"),
    Target("interruption", ("barge_in_ms", "p95"), 260, "interruptions, barge-in p95"),
    Target("interruption", ("missed_pct",), 1, "interruptions missed", percent=True),
    Target("interruption", ("stale_audio_ms_max",), 0, "stale audio after clear"),
    Target("backchannel", ("cancelled_pct",), 1, "backchannels, turns cancelled", percent=True),
    Target("echo", ("cancelled_pct",), 1, "echoes, turns cancelled", percent=True),
    Target("echo", ("hiccup_pct",), 2, "echoes, audible hiccups", percent=True),
    Target("noise", ("cancelled_pct",), 1, "noises, turns cancelled", percent=True),
)  # fmt: skip


def judged(classes: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each target with what was measured, whether it is met, and by how much it is missed."""
    table = []
    for target in TARGETS:
        value: Any = classes.get(target.kind)
        cases = value.get("n") if value is not None else None
        for key in target.figure:
            value = value.get(key) if value is not None else None
        missed_by = None
        if value is not None:
            missed_by = max(0.0, target.bound - value if target.least else value - target.bound)
        table.append(
            {
                "target": target.what,
                "class": target.kind,
                "figure": ".".join(target.figure),
                "bound": target.bound,
                "unit": "%" if target.percent else "ms",
                "measured": value,
                "met": None if missed_by is None else missed_by <= 0,
                "missed_by": None if missed_by is None else round(missed_by, 2),
                # A share of one percent cannot be shown by forty cases.
                "cases_enough": not target.percent
                or target.bound > 1
                or (cases is not None and cases >= ENOUGH_FOR_ONE_PERCENT),
            }
        )
    return table
