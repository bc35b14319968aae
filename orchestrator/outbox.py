"""The one writer of a call's stream to the gateway; a clear overtakes everything that waits."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from parley.conversation.v1 import conversation_pb2 as conv

AgentEvent = conv.AgentEvent
# The playouts are paced and all else is small and rare: a gateway that lets this many pile up does not read any more.
MAX_WAITING = 2000


class OutboxFullError(Exception):
    """The gateway has stopped reading."""


class Outbox:
    """Messages to the gateway in order. After ``clear`` nothing of the cleared playouts is ever written again.

    What is put by ``put_later`` is written when nothing else waits: no caller hears a checkpoint.
    """

    def __init__(self, write: Callable[[AgentEvent], Awaitable[None]]) -> None:
        self._write = write
        self._waiting: deque[tuple[AgentEvent, Callable[[], None] | None]] = deque()
        self._later: deque[AgentEvent] = deque()
        self._more = asyncio.Event()
        self._cleared = 0
        self._closing = False

    def put(self, event: AgentEvent, on_written: Callable[[], None] | None = None) -> None:
        """Append a message; ``on_written`` is called once it was written, never when it was cleared away.

        Raises:
            OutboxFullError: far too many wait.
        """
        if self._closing or self._is_cleared(event):
            return
        if len(self._waiting) >= MAX_WAITING:
            raise OutboxFullError("the gateway does not read its stream")
        self._waiting.append((event, on_written))
        self._more.set()

    def put_later(self, event: AgentEvent) -> None:
        """Append a message that every other one may overtake; those put so keep their order.

        Raises:
            OutboxFullError: far too many wait.
        """
        if self._closing:
            return
        if len(self._later) >= MAX_WAITING:
            raise OutboxFullError("the gateway does not read its stream")
        self._later.append(event)
        self._more.set()

    def urge(self) -> None:
        """Let what was put later overtake nothing, but be overtaken no more."""
        self._waiting.extend((event, None) for event in self._later)
        self._later.clear()

    def clear(self, through_playout_id: int) -> None:
        """Drop what waits of this playout and lower ones, and send the clear before anything else."""
        if through_playout_id <= self._cleared or self._closing:
            return
        self._cleared = through_playout_id
        self._waiting = deque(item for item in self._waiting if not self._is_cleared(item[0]))
        self._waiting.appendleft((AgentEvent(clear=conv.Clear(through_playout_id=through_playout_id)), None))
        self._more.set()

    def close(self, last: AgentEvent | None = None) -> None:
        """Write what waits, then ``last``, then no more."""
        if self._closing:
            return
        self.urge()
        if last is not None:
            self._waiting.append((last, None))
        self._closing = True
        self._more.set()

    async def run(self) -> None:
        """Write until closed and empty."""
        while True:
            while not self._waiting and not self._later:
                if self._closing:
                    return
                self._more.clear()
                await self._more.wait()
            event, on_written = self._waiting.popleft() if self._waiting else (self._later.popleft(), None)
            await self._write(event)
            if on_written is not None:
                on_written()

    def _is_cleared(self, event: AgentEvent) -> bool:
        kind = event.WhichOneof("event")
        if kind == "audio":
            return event.audio.playout_id <= self._cleared
        if kind == "mark":
            return event.mark.playout_id <= self._cleared
        if kind == "playout":
            return event.playout.playout_id <= self._cleared
        if kind == "transcript":
            return 0 < event.transcript.playout_id <= self._cleared
        return False
