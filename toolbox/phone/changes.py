"""Waiting for a condition over state that several callbacks change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Changes:
    """Whoever changes the state touches this; whoever waits looks again at every touch."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Event] = set()

    def touch(self) -> None:
        """Something has changed. Costs nothing while nobody waits."""
        for event in self._waiting:
            event.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when the condition holds; it is looked at now and after each change."""
        while not condition():
            await self.next()

    async def next(self, timeout_s: float | None = None) -> None:
        """Return at the next change, or after the time-out."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(event)
