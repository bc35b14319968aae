"""How much a server does at once."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from opentelemetry.metrics import CallbackOptions, Observation

from servicekit import semconv
from servicekit.telemetry import Telemetry


class Slots:
    """A fixed number of slots; whoever finds none is refused at once and never queues."""

    def __init__(self, capacity: int) -> None:
        """Offer ``capacity`` slots; ValueError unless at least one."""
        if capacity < 1:
            raise ValueError(f"a server needs at least one slot, not {capacity}")
        self._capacity = capacity
        self._in_use = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def capacity(self) -> int:
        """Slots in all."""
        return self._capacity

    @property
    def in_use(self) -> int:
        """Slots taken now."""
        return self._in_use

    def take(self) -> Lease | None:
        """Take a slot, or None when all are taken."""
        if self._in_use >= self._capacity:
            return None
        self._in_use += 1
        self._idle.clear()
        return Lease(self)

    async def wait_idle(self) -> None:
        """Wait until no slot is taken."""
        await self._idle.wait()

    def observe(self, telemetry: Telemetry) -> None:
        """Report capacity and use as metrics of ``telemetry``; call once."""

        def in_use(_: CallbackOptions) -> list[Observation]:
            return [Observation(self._in_use)]

        def capacity(_: CallbackOptions) -> list[Observation]:
            return [Observation(self._capacity)]

        telemetry.meter.create_observable_gauge(semconv.METRIC_SLOTS_IN_USE, [in_use], unit="{slot}")
        telemetry.meter.create_observable_gauge(semconv.METRIC_SLOTS_CAPACITY, [capacity], unit="{slot}")

    def _give_back(self) -> None:
        self._in_use -= 1
        if self._in_use == 0:
            self._idle.set()


class Lease:
    """One slot, taken; give it back with `release` or by leaving its ``with`` block."""

    def __init__(self, slots: Slots) -> None:
        """Made by `Slots.take` only."""
        self._slots: Slots | None = slots

    def release(self) -> None:
        """Give the slot back; again does nothing. Call it from the event loop's thread."""
        slots, self._slots = self._slots, None
        if slots is not None:
            slots._give_back()

    def __enter__(self) -> Self:
        """Hold the slot for a block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the slot back."""
        self.release()
