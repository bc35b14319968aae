"""`parley bench turn-taking` as CI runs it: both ways run to their end and print what they must. Nothing is timed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.process.benches import is_distribution, is_share, short_bench

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

LIMIT_S = 240.0
"""A hang guard, never a measure: either takes about a minute on two cores."""

DISTRIBUTIONS = {
    "complete": {"response_latency_ms"},
    "pause_short": {"response_latency_ms"},
    "pause_long": {"response_latency_ms"},
    "pause_clause": {"response_latency_ms"},
    "dictation": {"response_latency_ms"},
    "interruption": {"barge_in_ms"},
    "double_talk": {"barge_in_ms"},
}
SHARES = {
    "complete": {"false_cutoff_pct", "unanswered_pct"},
    "pause_short": {"false_cutoff_pct", "unanswered_pct"},
    "pause_long": {"false_cutoff_pct", "unanswered_pct"},
    "pause_clause": {"cut_pct", "joined_and_answered_pct"},
    "dictation": {"false_cutoff_pct"},
    "interruption": {"missed_pct"},
    "double_talk": {"missed_pct"},
    "backchannel": {"cancelled_pct", "hiccup_pct"},
    "noise": {"cancelled_pct", "hiccup_pct"},
    "babble": {"cancelled_pct", "hiccup_pct"},
    "echo": {"cancelled_pct", "hiccup_pct"},
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the corpus is kept from the first run to the second."""
    return tmp_path_factory.mktemp("corpus")


def check(report: Mapping[str, Any]) -> None:
    """The shape that outside tools rely on, and what no run may show, however short."""
    classes = report["classes"]
    assert set(classes) == set(SHARES)
    for name, figures in classes.items():
        assert figures["n"] >= 1, name
        assert all(is_distribution(figures[key]) for key in DISTRIBUTIONS.get(name, ())), name
        assert all(is_share(figures[key]) for key in SHARES[name]), name
    # What was cleared is never heard again.
    assert classes["interruption"]["stale_audio_ms_max"] == 0
    assert classes["double_talk"]["stale_audio_ms_max"] == 0
    assert is_share(report["speculation"]["hit_pct"])
    assert is_share(report["speculation"]["wasted_llm_requests_pct"])
    assert report["targets"]


def test_the_engine_alone_in_virtual_time(cache: Path, tmp_path: Path) -> None:
    report = short_bench("turn-taking", "--pure", "--cache", str(cache), cwd=tmp_path, limit_s=LIMIT_S)
    assert (report["mode"], report["stt"], report["half"]) == ("pure", "oracle", "reporting")
    assert report["settings"] == {"pure": True, "short": True}
    check(report)


def test_the_whole_house_in_real_time_by_an_oracle(cache: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    report = short_bench(
        *("turn-taking", "--oracle-stt", "80", "--cache", str(cache), "--report", str(page)),
        cwd=tmp_path,
        limit_s=LIMIT_S,
    )
    assert (report["mode"], report["stt"]) == ("real", "oracle")
    check(report)
    check(report["pure"])
    assert (report["calls_failed"], report["failures"]) == (0, [])
    assert report["cases_not_played"] == 0
    assert page.read_text(encoding="utf-8").startswith("<!")
