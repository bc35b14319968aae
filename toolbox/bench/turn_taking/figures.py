"""From observations to figures, class by class: the same for both ways of running."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from toolbox.bench.distribution import distribution
from toolbox.bench.turn_taking.corpus import LEAVES_FLOOR, TAKES_FLOOR, CaseKind
from toolbox.bench.turn_taking.observation import Observation, SpeculationCount

HICCUP_MS = 400.0
"""A silence of the agent that is longer than this, and after which it goes on, is one that people notice."""
ENOUGH_FOR_ONE_PERCENT = 300

Figures = dict[str, Any]


def classes(observations: Sequence[Observation]) -> dict[str, Figures]:
    """The figures of every class that was seen, in the order of `CaseKind`."""
    found = {kind: [seen for seen in observations if seen.kind is kind] for kind in CaseKind}
    return {kind.value: _figures(kind, seen) for kind, seen in found.items() if seen}


def speculation(count: SpeculationCount) -> Figures:
    """How often an early reply was the right one, and what the wrong ones cost."""
    return {
        "turns": count.turns,
        "hit_pct": _pct(count.hits, count.turns),
        "wasted_llm_requests_pct": _pct(count.wasted, count.requests),
    }


def interval(cases: int, of: int) -> list[float] | None:
    """The 95 % interval of a share, in percent (Wilson); None without cases."""
    if not of:
        return None
    z = 1.959964
    share = cases / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    spread = z / (1 + z * z / of) * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return [round(max(0.0, middle - spread) * 100, 2), round(min(1.0, middle + spread) * 100, 2)]


def _figures(kind: CaseKind, seen: Sequence[Observation]) -> Figures:
    figures: Figures = {"n": len(seen)}
    if kind in TAKES_FLOOR:
        figures |= _floor_taken(seen)
    elif kind in LEAVES_FLOOR:
        figures |= _floor_kept(seen)
    else:
        figures |= _turns(kind, seen)
    stuck = sum(1 for one in seen if one.stuck)
    return figures | ({"stuck": stuck} if stuck else {})


def _turns(kind: CaseKind, seen: Sequence[Observation]) -> Figures:
    cut = [one for one in seen if one.cut_off_ms is not None]
    share = "cut_pct" if kind is CaseKind.PAUSE_CLAUSE else "false_cutoff_pct"
    stopped = [one.cut_stopped_ms for one in cut if one.cut_stopped_ms is not None]
    figures: Figures = {
        "response_latency_ms": distribution([ms for one in seen if (ms := one.response_latency_ms) is not None]),
        **_understood(seen),
        **_share(share, seen, lambda one: one.cut_off_ms is not None),
        "silently_reopened_pct": _pct(
            sum(1 for one in seen if one.early_commits and one.cut_off_ms is None), len(seen)
        ),
        "unanswered_pct": _pct(sum(1 for one in seen if one.answered_ms is None), len(seen)),
        "joined_and_answered_pct": _pct(sum(1 for one in cut if one.joined), len(cut)),
        "cut_stopped_ms": distribution(stopped),
        "endpoint_ms": distribution([e.commit for one in seen if (e := one.engine) and e.commit is not None]),
        "eos_error_ms": distribution(
            [e.eos_error_ms for one in seen if (e := one.engine) and e.eos_error_ms is not None]
        ),
    }
    return figures | _by_detail(seen, share, lambda one: one.cut_off_ms is not None)


def _understood(seen: Sequence[Observation]) -> Figures:
    """What of the latency is turn-taking's own: a recogniser that hears wrong makes whole sentences unfinished ones."""
    known = [one for one in seen if one.understood is not None]
    if not known:
        return {}
    right = [one for one in known if one.understood]
    return {
        "understood_pct": _pct(len(right), len(known)),
        "understood_latency_ms": distribution([ms for one in right if (ms := one.response_latency_ms) is not None]),
    }


def _floor_taken(seen: Sequence[Observation]) -> Figures:
    def missed(one: Observation) -> bool:
        return one.barge_in_ms is None or not one.cancelled

    stopped = [one.barge_in_ms for one in seen if one.barge_in_ms is not None]
    return {
        **_share("missed_pct", seen, missed),
        "barge_in_ms": distribution(stopped),
        "stale_audio_ms_max": round(max((one.stale_ms for one in seen), default=0.0), 1),
        **_by_detail(seen, "missed_pct", missed),
    }


def _floor_kept(seen: Sequence[Observation]) -> Figures:
    def cancelled(one: Observation) -> bool:
        return one.cancelled or one.stuck

    def hiccup(one: Observation) -> bool:
        return any(gap > HICCUP_MS for gap in one.hiccups_ms)

    return {
        **_share("cancelled_pct", seen, cancelled),
        **_share("hiccup_pct", seen, hiccup, interval_key="hiccup_ci95"),
        "paused_pct": _pct(sum(1 for one in seen if one.barge_in_ms is not None), len(seen)),
        "resume_gap_ms": distribution([gap for one in seen for gap in one.hiccups_ms]),
        **_resumed(seen),
        "stale_audio_ms_max": round(max((one.stale_ms for one in seen), default=0.0), 1),
        **_by_detail(seen, "cancelled_pct", cancelled),
    }


def _resumed(seen: Sequence[Observation]) -> Figures:
    resumed = [resumption for one in seen for resumption in one.resumptions]
    if not resumed:
        return {}
    return {
        "resumed": {
            "n": len(resumed),
            "words_lost": sum(one.words_lost for one in resumed),
            "words_repeated": sum(one.words_repeated for one in resumed),
            "repeated_ms": distribution([one.repeated_ms for one in resumed]),
        }
    }


def _share(
    key: str, seen: Sequence[Observation], counts: Callable[[Observation], bool], *, interval_key: str = "ci95"
) -> Figures:
    hits = sum(1 for one in seen if counts(one))
    return {key: _pct(hits, len(seen)), interval_key: interval(hits, len(seen))}


def _by_detail(seen: Sequence[Observation], key: str, counts: Callable[[Observation], bool]) -> Figures:
    details = sorted({one.detail for one in seen})
    if len(details) < 2:
        return {}
    parts = {}
    for detail in details:
        members = [one for one in seen if one.detail == detail]
        parts[detail] = {"n": len(members), key: _pct(sum(map(counts, members)), len(members))}
    return {"by_kind": parts}


def _pct(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 2) if whole else None
