"""The report in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table


def show_stt(report: Mapping[str, Any], console: Console) -> None:
    """Write a `bench stt` report."""
    models = report["models"]
    table = Table(
        title=f"speech to text, random weights, {report['device']}, {report['machine']['cores']} cores",
        title_justify="left",
    )
    table.add_column("")
    for name in models:
        table.add_column(name, justify="right")
    rows: dict[str, Callable[[Mapping[str, Any]], str]] = {
        "final, one at a time, p50 / p95 ms": lambda one: _pair(one["final_ms"]),
        "final after an answered finalize, p50 / p95 ms": lambda one: _pair(one["reuse_ms"]),
        "utterances per s, all streams": lambda one: f"{one['utterances_per_s']:g}",
        "the plain library, one at a time": lambda one: f"{one['naive_utterances_per_s']:g}",
        "times as many": lambda one: f"{one['times_naive']:g}",
        "wait for a final under that load, p50 / p95 ms": lambda one: _pair(one["wait_ms"]),
        "between two partials, one stream, p50 / p95 ms": lambda one: _pair(one["partial_ms"]),
        "memory, MB": lambda one: f"{one['rss_mb']:.0f}",
    }
    for title, figure in rows.items():
        table.add_row(title, *(figure(one) for one in models.values()))
    console.print(table)
    for name, one in models.items():
        for real in one["in_real_time"]:
            console.print(
                f"{name}, {real['streams']} in real time: a partial every {_pair(real['partial_ms'])} ms, "
                f"final {_pair(real['final_ms'])} ms"
            )
    cancelled = report["cancelled"]
    console.print(
        f"{cancelled['utterances']} cut off: {cancelled['slots_in_use_after']} slots still taken, all free after "
        f"{cancelled['all_freed_ms']:g} ms; {cancelled['before']['rss_mb']:g} → {cancelled['after']['rss_mb']:g} MB"
    )
    if "soak" in report:
        soak = report["soak"]
        console.print(
            f"{soak['utterances']} recognised: {soak['rss_mb'][0]:g} → {soak['rss_mb'][-1]:g} MB "
            f"({soak['growth_pct']:+g} %)"
        )


def _pair(figures: Mapping[str, Any]) -> str:
    return " / ".join("–" if figures[key] is None else f"{figures[key]:.0f}" for key in ("p50", "p95"))
