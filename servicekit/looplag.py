"""How late the event loop runs: the figure that tells overload before callers hear it."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Self

from servicekit import semconv
from servicekit.telemetry import Telemetry

INTERVAL_S = 0.02
"""One frame of telephone audio: what the loop must keep up with."""


class LoopLagProbe:
    """Measures the running event loop's lag every 20 ms into a histogram while it is entered.

    ``async with LoopLagProbe(telemetry): …`` owns the measuring task. Without metrics it does nothing at all.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        """Measure into ``telemetry``'s meter."""
        self._enabled = telemetry.metrics_enabled
        self._task: asyncio.Task[None] | None = None
        self._histogram = telemetry.meter.create_histogram(
            semconv.METRIC_LOOP_LAG,
            unit="ms",
            description="How late the event loop ran a timer",
            explicit_bucket_boundaries_advisory=list(semconv.LAG_BUCKETS),
        )

    async def __aenter__(self) -> Self:
        """Start measuring."""
        if self._enabled:
            self._task = asyncio.get_running_loop().create_task(self._measure(), name="loop-lag")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop measuring."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _measure(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + INTERVAL_S
            await asyncio.sleep(INTERVAL_S)
            self._histogram.record(max(0.0, (loop.time() - due) * 1000.0))
