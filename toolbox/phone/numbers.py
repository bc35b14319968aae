"""The telephone numbers of the simulated world: the account's own, and the people one can ring."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from toolbox.phone.identifiers import new_sid

if TYPE_CHECKING:
    from toolbox.phone.call import Call

Answers = Literal["human", "machine", "fax", "busy", "no-answer", "failed"]


@dataclass(eq=False)
class IncomingNumber:
    """A number of the account: calls to it ask its voice URL."""

    number: str
    voice_url: str
    voice_method: str
    voice_fallback_url: str
    status_callback: str
    status_callback_method: str
    friendly_name: str
    created: datetime
    updated: datetime
    sid: str = field(default_factory=lambda: new_sid("PN"))


@dataclass(eq=False)
class Subscriber:
    """Somebody who can be rung by `calls.create` or `<Dial>`."""

    number: str
    answers: Answers = "human"
    rings_s: float = 0.0
    """How long it rings before they answer (or busy is signalled)."""
    on_answer: Callable[[Call], Awaitable[None]] | None = None
    """What they do with the call, from answer on; runs as long as the call."""
    greeting: bytes = b""
    """What an answering machine says, μ-law 8 kHz; its beep follows."""
    rung: asyncio.Queue[Call] = field(default_factory=lambda: asyncio.Queue(maxsize=1000), repr=False)
    rings: int = 0

    async def next_call(self) -> Call:
        """Wait for the telephone to ring; each ringing call is handed out once."""
        return await self.rung.get()

    def ring(self, call: Call) -> None:
        """The telephone rings."""
        self.rings += 1
        if not self.rung.full():
            self.rung.put_nowait(call)
