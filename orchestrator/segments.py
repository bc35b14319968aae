"""The segments of a reply on their way to the synthesiser."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from orchestrator.heard import SegmentText


class Segments(Protocol):
    """Where segments come from."""

    async def next(self) -> SegmentText | None:
        """The next segment, waiting for it; None after the last."""


@dataclass(slots=True)
class SegmentQueue:
    """Segments of a reply that is still being written; bounded by the length of a reply."""

    _queue: asyncio.Queue[SegmentText | None] = field(default_factory=asyncio.Queue)

    def put(self, segment: SegmentText) -> None:
        """Append a segment."""
        self._queue.put_nowait(segment)

    def close(self) -> None:
        """No more will come."""
        self._queue.put_nowait(None)

    async def next(self) -> SegmentText | None:
        """The next segment, waiting for it; None after the last."""
        return await self._queue.get()
