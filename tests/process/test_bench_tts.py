"""`parley bench tts` measures the real service and reports in the shape that is promised."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.process, pytest.mark.heavy, pytest.mark.timeout(300)]

DISTRIBUTION = {"n", "p50", "p95", "p99", "max"}


def test_the_short_form_reports_every_part() -> None:
    command = [sys.executable, "-m", "toolbox.cli", "bench", "tts", "--short", "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=280, env=dict(os.environ), check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    report = json.loads(ran.stdout)
    assert {"parley", "machine", "settings", "started", "seconds", "engines", "round_trip_word_pct"} <= set(report)
    assert report["settings"] == {"short": True}
    engines = report["engines"]
    assert set(engines) == {"espeak", "cached", "kokoro"}
    for name in engines:
        assert engines[name]["rtf"] > 0, name
        for figure in ("first_audio_ms", "cancel_ms", "slot_free_ms"):
            assert set(engines[name][figure]) == DISTRIBUTION, (name, figure)
            assert engines[name][figure]["n"] > 0, (name, figure)
    for name in ("espeak", "cached"):
        assert engines[name]["callers"] == 20
        assert set(engines[name]["burst_first_audio_ms"]) == DISTRIBUTION
        assert set(engines[name]["rested_first_audio_ms"]) == DISTRIBUTION
    # What the two differ in, told by the service itself.
    assert (engines["espeak"]["cached_pct"], engines["cached"]["cached_pct"]) == (0.0, 100.0)
    assert engines["kokoro"]["realtime_streams"] > 0
    assert set(engines["kokoro"]["in_flight"]) >= {"first_audio_ms", "sentence_written_ms", "heard_while_written"}
    assert set(report["round_trip"]["controls"]) == {"frames_dropped", "wrong_rate", "clipping"}
    assert report["round_trip_word_pct"] > max(report["round_trip"]["controls"]["wrong_rate"], 70)
    assert report["soak"]["segments"] == 60
    assert 0 < report["soak"]["cache_bytes"] <= report["soak"]["cache_bound_bytes"]
    assert {row["met"] for row in report["targets"]} <= {True, False}
