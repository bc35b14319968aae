"""The report of `bench clean-up` in a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table


def show_clean_up(report: Mapping[str, Any], console: Console) -> None:
    """Write what was measured, a row for each setting."""
    turns = _table(
        "Turn-taking: the engine alone, in virtual time; latency and barge-in p50 / p95", "clean-up", "cases each"
    )
    for heading in (
        "noise: hiccup / cancel %",
        "babble",
        "latency ms",
        "cut off %",
        "barge-in ms",
        "missed %",
    ):
        turns.add_column(heading, justify="right")
    for name, classes in report["turn_taking"].items():
        noise, babble, complete, interruption = (
            classes[kind] for kind in ("noise", "babble", "complete", "interruption")
        )
        turns.add_row(
            name,
            str(noise["n"]),
            f"{noise['hiccup_pct']} / {noise['cancelled_pct']}",
            f"{babble['hiccup_pct']} / {babble['cancelled_pct']}",
            _middle(complete["response_latency_ms"]),
            str(complete["false_cutoff_pct"]),
            _middle(interruption["barge_in_ms"]),
            str(interruption["missed_pct"]),
        )
    console.print(turns)
    speech = _table(
        "Speech amid noise, through μ-law; the transcript is asked for so long after its end, p50 / p95",
        "noise",
        "SNR dB",
    )
    for heading in (
        "clean-up",
        "turned down dB",
        "asked after ms",
        "never",
        "word errors %",
        "CPU s / min",
    ):
        speech.add_column(heading, justify="right")
    for row in report["speech"]:
        speech.add_row(
            row["noise"],
            f"{row['snr_db']:.0f}",
            row["clean_up"],
            f"{row['noise_turned_down_db']:.0f}",
            _middle(row["transcript_asked_after_ms"]),
            f"{row['transcript_never_asked']}/{row['utterances']}",
            f"{row['word_error_pct']:.0f}",
            f"{row['cpu_s_per_call_minute']:.2f}",
        )
    console.print(speech)


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading)
    return table


def _middle(distribution: Mapping[str, float | None]) -> str:
    return " / ".join("–" if value is None else f"{value:.0f}" for value in (distribution["p50"], distribution["p95"]))
