"""What the voice promises, and whether a report keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MS_P95 = (
    ("cached: first audio, 20 callers, p95", "cached", "first_audio_ms", 5.0),
    ("espeak: first audio, 20 callers, p95", "espeak", "first_audio_ms", 10.0),
    ("cached: cancelled to silent, p95", "cached", "cancel_ms", 20.0),
    ("espeak: cancelled to silent, p95", "espeak", "cancel_ms", 20.0),
    ("kokoro: cancelled to silent, p95", "kokoro", "cancel_ms", 20.0),
    ("cached: cancelled to slot free, p95", "cached", "slot_free_ms", 20.0),
    ("espeak: cancelled to slot free, p95", "espeak", "slot_free_ms", 20.0),
)
_ROUND_TRIP_PCT, _CONTROL_PCT, _GROWTH_PCT = 95.0, 70.0, 5.0


def targets(engines: Mapping[str, Any], figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each target with its bound, what was measured, and whether it is met; None where it was not measured."""
    rows = []
    for name, engine, key, bound in _MS_P95:
        measured = engines.get(engine, {}).get(key, {}).get("p95")
        rows.append(_row(name, bound, measured, "ms"))
    flight = engines.get("kokoro", {}).get("in_flight")
    if flight is not None:
        written, begun = flight["sentence_written_ms"], flight["begun_ms"]
        rows.append(_row("kokoro: first clause in flight before the sentence is written", written, begun, "ms"))
    share = figures.get("round_trip_word_pct")
    rows.append(_row("round trip: words recognised", _ROUND_TRIP_PCT, share, "%", at_least=True))
    for name, control in figures.get("round_trip", {}).get("controls", {}).items():
        rows.append(_row(f"round trip, control {name}: words recognised", _CONTROL_PCT, control, "%"))
    soak = figures.get("soak")
    if soak is not None:
        rows.append(_row("soak: growth of memory", _GROWTH_PCT, soak["growth_pct"], "%"))
        rows.append(_row("soak: cache", soak["cache_bound_bytes"], soak["cache_bytes"], "bytes"))
    return rows


def _row(target: str, bound: float, measured: float | None, unit: str, *, at_least: bool = False) -> dict[str, Any]:
    met = None if measured is None else measured >= bound if at_least else measured <= bound
    return {"target": target, "bound": bound, "at_least": at_least, "measured": measured, "unit": unit, "met": met}
