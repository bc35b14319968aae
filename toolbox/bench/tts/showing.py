"""The report in a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

_VERDICTS = {True: "met", False: "missed", None: "not measured"}
_STYLES = {True: "green", False: "red", None: "dim"}


def show_tts(report: Mapping[str, Any], console: Console) -> None:
    """Write the targets, then what has none."""
    table = Table(title="text to speech", title_justify="left")
    for heading, justify in (("", "left"), ("target", "right"), ("measured", "right"), ("", "left")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for row in report["targets"]:
        sign = "≥" if row["at_least"] else "≤"
        measured = "–" if row["measured"] is None else f"{row['measured']:g}"
        bound = f"{sign} {row['bound']:g} {row['unit']}"
        table.add_row(row["target"], bound, measured, _VERDICTS[row["met"]], style=_STYLES[row["met"]])
    console.print(table)
    for name, figures in report["engines"].items():
        if "skipped" in figures:
            console.print(f"{name}: skipped: {figures['skipped']}")
            continue
        line = f"{name}: real-time factor {figures['rtf']:g}"
        if "burst_first_audio_ms" in figures:
            alone, rested = figures["alone_first_audio_ms"], figures["rested_first_audio_ms"]
            burst = figures["burst_first_audio_ms"]
            line += f", first audio alone p50 {alone['p50']:g} ms, after 0.3 s of rest p50 {rested['p50']:g} ms"
            line += f", in a burst of 20 p50 {burst['p50']:g} ms, p95 {burst['p95']:g} ms"
        if "realtime_streams" in figures:
            first = figures["first_audio_ms"]
            line += f", {figures['realtime_streams']:g} streams in real time, first clause p50 {first['p50']:g} ms"
            line += f" ({figures['model']}, {figures['weights']} weights)"
        console.print(line, markup=False)
    if "round_trip" in report:
        others = ", ".join(f"{name} {share:g} %" for name, share in report["round_trip"]["other_voices"].items())
        console.print(f"round trip of other voices: {others}", markup=False)
    made_on = report["machine"]
    console.print(f"On {made_on['cpu']}, {made_on['cores']} cores; {report['seconds']} s.", markup=False)
