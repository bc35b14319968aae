"""`parley bench load` as CI runs it: every call is held to its end and the report has its shape. Nothing is timed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.process.benches import is_distribution, short_bench

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]

CALLS, QUESTIONS = 3, 2
SERVICES = {"gateway", "orchestrator", "stt", "tts"}


def test_a_few_calls_at_once_are_all_answered_and_measured(tmp_path: Path) -> None:
    report = short_bench("load", "-n", str(CALLS), "--turns", str(QUESTIONS), cwd=tmp_path, limit_s=200)
    assert (report["calls"], report["calls_failed"], report["calls_refused"]) == (CALLS, 0, 0)
    assert report["failures"] == []
    assert {"parley", "machine", "settings", "started", "seconds"} <= set(report)
    assert set(report["machine"]) == {"cpu", "cores", "memory_gb", "python"}
    assert report["frames"] > 0
    # Interruptions are turns too.
    assert report["turns"] >= QUESTIONS * CALLS
    assert report["turns_unanswered"] == 0
    assert report["response_latency_ms"]["n"] >= CALLS
    assert report["barge_in_ms"]["n"] >= 1
    for name in ("response_latency_ms", "barge_in_ms", "glue_ms"):
        assert is_distribution(report[name]), name
    assert 0 <= report["frames_late_20ms_pct"] <= 100
    assert set(report["cpu_s_per_call_minute"]) >= {*SERVICES, "total"}
    assert set(report["rss_mb"]) >= SERVICES
    assert all(is_distribution(report["loop_lag_ms"][name]) for name in ("gateway", "orchestrator"))
