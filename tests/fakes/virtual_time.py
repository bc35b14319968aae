"""A real event loop whose clock is fake: where everybody waits, time jumps to the next timer."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

# A timer must lie in the past once its moment has come, however the sums of floats were rounded.
_ROUNDING_S = 1e-6


class _FakeTimeSelector(selectors.DefaultSelector):
    """Never waits; tells how long it would have."""

    def __init__(self) -> None:
        super().__init__()
        self.waited_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready now."""
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("every task waits, and no timer is set: nothing will ever happen")
            if timeout > 0:
                self.waited_s += timeout + _ROUNDING_S
        return ready


class FakeTimeLoop(asyncio.SelectorEventLoop):
    """Minutes pass in milliseconds. Nothing outside the loop (sockets, threads) may be waited for."""

    def __init__(self) -> None:
        self._fake_time = _FakeTimeSelector()
        super().__init__(self._fake_time)

    def time(self) -> float:
        """Seconds that were waited through."""
        return self._fake_time.waited_s

    def timers(self) -> list[asyncio.TimerHandle]:
        """Timers that are set and were not cancelled."""
        scheduled: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]  # asyncio tells no other way
        return [timer for timer in scheduled if not timer.cancelled()]


def run_in_fake_time(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end on a loop of its own; fails where a task or a timer is left behind."""
    loop = FakeTimeLoop()
    try:
        result = loop.run_until_complete(main)
        left = [repr(task) for task in asyncio.all_tasks(loop)]
        assert not left, f"tasks left behind: {left}"
        assert not loop.timers(), f"timers left behind: {loop.timers()}"
        return result
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.close()
