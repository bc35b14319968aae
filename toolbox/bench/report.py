"""Reports as people read them, beside the peer's figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class PeerRow:
    """Pipecat 1.14 with instant fakes for its engines, one process, two shared cores of an AMD EPYC, November 2026.

    Measured by another load client than this bench's, of the same kind: an orientation, not a race on equal terms.
    """

    calls: int
    response_p50_ms: float
    response_p95_ms: float
    barge_in_p50_ms: float | None
    barge_in_p95_ms: float | None
    frames_late_pct: float
    cpu_s_per_call_minute: float
    rss_mb: float


PIPECAT = (
    PeerRow(5, 275, 314, 343, 384, 0, 3.7, 195),
    PeerRow(10, 296, 376, 347, 384, 2, 3.6, 248),
    PeerRow(20, 347, 609, 412, 506, 32, 3.3, 354),
    PeerRow(30, 2716, 7316, None, None, 70, 2.6, 467),
)


def show_load(report: Mapping[str, Any], console: Console) -> None:
    """Write a `bench load` report."""
    peer = min(PIPECAT, key=lambda row: abs(row.calls - report["calls"]))
    table = Table(title=f"{report['calls']} calls, {report['turns']} turns", title_justify="left")
    table.add_column("")
    table.add_column("Parley", justify="right")
    table.add_column(f"Pipecat, {peer.calls} calls", justify="right", style="dim")
    response, barge_in = report["response_latency_ms"], report["barge_in_ms"]
    table.add_row(
        "voice to voice, p50 / p95 / p99 ms",
        _figures(response, "p50", "p95", "p99"),
        f"{peer.response_p50_ms:.0f} / {peer.response_p95_ms:.0f} / –",
    )
    table.add_row(
        "barge-in, p50 / p95 ms",
        _figures(barge_in, "p50", "p95"),
        f"{_figure(peer.barge_in_p50_ms)} / {_figure(peer.barge_in_p95_ms)}",
    )
    table.add_row("frames > 20 ms late, %", _figure(report["frames_late_20ms_pct"], 2), f"{peer.frames_late_pct:g}")
    cpu, rss = report["cpu_s_per_call_minute"], report["rss_mb"]
    table.add_row("CPU s per call-minute", _figure(cpu["total"], 2), f"{peer.cpu_s_per_call_minute:g}")
    for name in ("gateway", "orchestrator", "stt", "tts"):
        table.add_row(f"  {name}", _figure(cpu[name], 2), "", style="dim")
    table.add_row("resident memory, MB", _figure(rss["total"]), f"{peer.rss_mb:g}")
    for name, lag in report["loop_lag_ms"].items():
        table.add_row(f"event loop lag of {name}, p99 ms", _figure(lag["p99"], 1), "")
    table.add_row("glue, p50 / p95 ms", _figures(report["glue_ms"], "p50", "p95"), "12–23")
    table.add_row(
        "calls failed / refused",
        f"{report['calls_failed']} / {report['calls_refused']}",
        "0" if peer.calls < 30 else "19",
    )
    table.add_row(
        "turns unanswered / cut off, interruptions missed",
        f"{report['turns_unanswered']} / {report['turns_cut_off']}, {report['interruptions_missed']}",
        "",
    )
    console.print(table)
    made_on = report["machine"]
    console.print(f"On {made_on['cpu']}, {made_on['cores']} cores; instant STT, TTS and brain; {report['seconds']} s.")
    console.print(
        "[dim]Pipecat 1.14: one process, two shared cores of an AMD EPYC, another load client; an orientation.[/]",
    )
    if report["client_frames_late_20ms_pct"] > 1:
        late = report["client_frames_late_20ms_pct"]
        console.print(f"[yellow]The callers themselves were late with {late} % of their frames: a busy machine.[/]")
    for failure in report["failures"]:
        console.print(f"[red]{failure}[/]", markup=True)


def _figures(distribution: Mapping[str, float | None], *names: str) -> str:
    return " / ".join(_figure(distribution[name]) for name in names)


def _figure(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
