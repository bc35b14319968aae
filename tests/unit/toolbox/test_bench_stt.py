"""The recogniser's bench runs the real service and the plain library, and reports what it promises."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.asyncs import async_test
from toolbox.bench.stt import SttBenchError, SttPlan
from toolbox.bench.stt.measuring import measure_stt

pytestmark = [pytest.mark.process, pytest.mark.heavy, pytest.mark.timeout(300)]

_DISTRIBUTION = {"n", "p50", "p95", "p99", "max"}


class Trial(SttPlan):
    """As little as gives every figure."""

    singles, paced_streams, cancelled = 4, (2,), 20


@async_test
async def test_a_report_holds_every_promised_key_and_the_same_texts_however_they_were_made() -> None:
    told: dict[str, int] = {}

    def say(what: str, steps: int) -> Any:
        return lambda step: told.update({what: step})

    plan = Trial(models=("smallest",), short=True, streams=4, soak=40)
    report = await measure_stt(plan, say)
    assert {"parley", "machine", "settings", "started", "seconds", "device", "models"} <= set(report)
    assert report["settings"] == {"models": ("smallest",), "short": True, "streams": 4, "soak": 40}
    figures = report["models"]["smallest"]
    for name in ("final_ms", "reuse_ms", "wait_ms", "partial_ms"):
        assert set(figures[name]) == _DISTRIBUTION
        assert figures[name]["n"] > 0, name
    assert figures["utterances_per_s"] > 0
    assert figures["naive_utterances_per_s"] > 0
    assert figures["rss_mb"] > 0
    assert figures["texts_under_load_equal"]
    assert figures["texts_equal_naive_in_same_window"]
    assert figures["different_texts"] > 2
    assert [one["streams"] for one in figures["in_real_time"]] == [2]
    assert report["cancelled"]["utterances"] == 20
    assert report["cancelled"]["slots_in_use_after"] == 0
    assert report["soak"]["utterances"] == 40
    assert len(told) == 5
    json.dumps(report, allow_nan=False)


@async_test
async def test_dimensions_that_nobody_knows_are_named() -> None:
    with pytest.raises(SttBenchError, match="huge"):
        await measure_stt(SttPlan(models=("huge",)), lambda what, steps: lambda step: None)
