"""The loop-lag probe measures while entered, and only with metrics on."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from servicekit import semconv
from servicekit.looplag import LoopLagProbe
from servicekit.telemetry import Telemetry
from tests.asyncs import async_test


def points(reader: InMemoryMetricReader) -> list[Any]:
    data = reader.get_metrics_data()
    if data is None:
        return []
    return [
        point
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == semconv.METRIC_LOOP_LAG
        for point in metric.data.data_points
    ]


@async_test
async def test_a_blocked_loop_shows_as_lag() -> None:
    reader = InMemoryMetricReader()
    async with LoopLagProbe(Telemetry.recording("parley-stt", reader=reader)):
        await asyncio.sleep(0)  # the probe sets its first timer
        time.sleep(0.15)  # noqa: ASYNC251 - blocking the loop is what is measured
        await asyncio.sleep(0.05)  # two of the probe's intervals: at least one timer that was late has run
        measured = points(reader)
    assert measured[0].max >= 100
    assert measured[0].explicit_bounds == semconv.LAG_BUCKETS


@async_test
async def test_without_metrics_no_task_runs() -> None:
    before = asyncio.all_tasks()
    async with LoopLagProbe(Telemetry("parley-stt")):
        assert asyncio.all_tasks() == before


@async_test
async def test_leaving_ends_the_task() -> None:
    before = asyncio.all_tasks()
    async with LoopLagProbe(Telemetry.recording("parley-stt", reader=InMemoryMetricReader())):
        assert len(asyncio.all_tasks()) == len(before) + 1
    assert asyncio.all_tasks() == before
