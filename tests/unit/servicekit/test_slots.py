"""Slots: so many and no more, and every one comes back."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from servicekit import semconv
from servicekit.server import Slots
from servicekit.telemetry import Telemetry
from tests.asyncs import async_test


def test_when_all_are_taken_there_is_none() -> None:
    slots = Slots(2)
    first, second = slots.take(), slots.take()
    assert first is not None
    assert second is not None
    assert slots.take() is None
    assert (slots.capacity, slots.in_use) == (2, 2)
    first.release()
    assert slots.in_use == 1
    assert slots.take() is not None


def test_giving_back_twice_frees_one() -> None:
    slots = Slots(2)
    first, second = slots.take(), slots.take()
    assert first is not None
    assert second is not None
    first.release()
    first.release()
    assert slots.in_use == 1


def test_leaving_the_block_gives_back_even_by_an_error() -> None:
    slots = Slots(1)
    lease = slots.take()
    assert lease is not None
    with pytest.raises(ValueError, match="broken"), lease:
        raise ValueError("broken")
    assert slots.in_use == 0


@async_test
async def test_idle_means_none_is_taken() -> None:
    slots = Slots(2)
    await slots.wait_idle()
    first, second = slots.take(), slots.take()
    waiting = asyncio.create_task(slots.wait_idle())
    assert first is not None
    assert second is not None
    first.release()
    await asyncio.sleep(0)
    assert not waiting.done()
    second.release()
    await waiting


def test_a_server_without_slots_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Slots(0)


def test_use_and_capacity_are_metrics() -> None:
    reader = InMemoryMetricReader()
    slots = Slots(3)
    slots.observe(Telemetry.recording("parley-stt", reader=reader))
    lease = slots.take()
    assert lease is not None
    data = reader.get_metrics_data()
    assert data is not None
    values = {
        metric.name: point.value  # type: ignore[union-attr]
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        for point in metric.data.data_points
    }
    assert values == {semconv.METRIC_SLOTS_IN_USE: 1, semconv.METRIC_SLOTS_CAPACITY: 3}
