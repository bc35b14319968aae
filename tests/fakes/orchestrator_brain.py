"""A brain that says what the test wrote for it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from orchestrator.brain import BrainError, BrainEvent, BrainRequest, Finished, TextDelta, ToolCall

Script = Sequence[str | float | ToolCall | BrainError | asyncio.Event]


@dataclass(slots=True)
class AskedOfBrain:
    """One request, on the loop's clock."""

    turn_id: int
    began_s: float
    ended_s: float = math.inf


class FakeBrain:
    """Answers the n-th request with the n-th script, the last one again for all that follow.

    A script's strings are deltas; an event is waited for, and so many seconds; a `BrainError` is raised. ``closed``
    counts requests that ended before their script did. The stream stays open behind the last word until ``lingers`` is
    set, if given.
    """

    def __init__(self, *scripts: Script, speculation_safe: bool = False, lingers: asyncio.Event | None = None) -> None:
        self.scripts = scripts or (("It is noon.",),)
        self.requests: list[BrainRequest] = []
        self.asked_when: list[AskedOfBrain] = []
        self.closed = 0
        self.warmed = 0
        self.live = 0
        self.asked = asyncio.Event()
        """Set once it was asked."""
        self._safe = speculation_safe
        self._lingers = lingers

    @property
    def name(self) -> str:
        """The model's name."""
        return "fake"

    @property
    def speculation_safe(self) -> bool:
        """As the test wants it."""
        return self._safe

    async def warm(self) -> None:
        """Count it."""
        self.warmed += 1

    async def close(self) -> None:
        """Nothing to close."""

    async def reply(self, request: BrainRequest) -> AsyncGenerator[BrainEvent, None]:
        """Play the script."""
        script = self.scripts[min(len(self.requests), len(self.scripts) - 1)]
        self.requests.append(request)
        loop = asyncio.get_running_loop()
        asked = AskedOfBrain(request.turn_id, loop.time())
        self.asked_when.append(asked)
        self.live += 1
        self.asked.set()
        done = False
        try:
            for step in script:
                if isinstance(step, asyncio.Event):
                    await step.wait()
                elif isinstance(step, float):
                    await asyncio.sleep(step)
                elif isinstance(step, BrainError):
                    raise step
                else:
                    yield TextDelta(step) if isinstance(step, str) else step
            done = True
            yield Finished("stop")
            if self._lingers is not None:
                await self._lingers.wait()
        finally:
            self.live -= 1
            asked.ended_s = loop.time()
            if not done:
                self.closed += 1
