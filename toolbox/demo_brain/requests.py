"""What the demo brain was asked, for the demo's own checks and for tests."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from toolbox.demo_brain.intents import Intent


@dataclass(eq=False)
class BrainRequestRecord:
    """One chat request; filled in as it goes. Times are the injected monotonic clock's, in seconds."""

    number: int
    intent: Intent
    model: str
    messages: tuple[dict[str, Any], ...]
    headers: dict[str, str]
    streamed: bool
    opened_at: float
    # When the first word left; None while none has.
    first_word_at: float | None = None
    words_sent: int = 0
    # When the answer was complete or the client was gone; None while it goes on.
    closed_at: float | None = None
    # True when the client went away before the answer was complete.
    cancelled: bool = False
    _closed: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    async def closed(self) -> None:
        """Wait until `closed_at` and `cancelled` are known."""
        await self._closed.wait()

    def close(self, at: float, *, cancelled: bool) -> None:
        """Note the end."""
        if self.closed_at is None:
            self.closed_at = at
            self.cancelled = cancelled
            self._closed.set()


class RequestLog:
    """The newest requests, oldest first; bounded."""

    def __init__(self, limit: int) -> None:
        self._records: deque[BrainRequestRecord] = deque(maxlen=limit)
        self._total = 0
        self._news = asyncio.Condition()

    def __iter__(self) -> Iterator[BrainRequestRecord]:
        return iter(tuple(self._records))

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> BrainRequestRecord:
        return self._records[index]

    @property
    def total(self) -> int:
        """How many there were, forgotten ones included."""
        return self._total

    @property
    def intents(self) -> list[Intent]:
        """The intents, oldest first."""
        return [record.intent for record in self._records]

    async def add(
        self,
        *,
        intent: Intent,
        model: str,
        messages: tuple[dict[str, Any], ...],
        headers: dict[str, str],
        streamed: bool,
        opened_at: float,
    ) -> BrainRequestRecord:
        """Begin a record."""
        self._total += 1
        record = BrainRequestRecord(self._total, intent, model, messages, headers, streamed, opened_at)
        async with self._news:
            self._records.append(record)
            self._news.notify_all()
        return record

    async def wait_for(self, total: int) -> None:
        """Wait until at least `total` requests have come in all."""
        async with self._news:
            await self._news.wait_for(lambda: self._total >= total)
