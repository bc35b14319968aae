"""One question through the brain: with the other brain where the first fails, and again with what its tools gave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from orchestrator.brain import Brain, BrainError, BrainEvent, BrainRequest, Finished, TextDelta, ToolCall
from orchestrator.tools import CandidateTools
from servicekit.logs import get_logger

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pausing:
    """The brain has said what it says before the result of a tool; more follows."""


AskingEvent: TypeAlias = TextDelta | Pausing | Finished


@dataclass(slots=True)
class Asking:
    """Asks until an answer is complete. Cancelling the task that reads it closes the request at once."""

    brain: Brain
    fallback: Brain | None
    """Asked in the first one's place when that fails, or is given up, before any content."""
    request: BrainRequest
    tools: CandidateTools
    notice: Callable[[str, str], None]
    """Called with a code and a message for the operator."""
    fell_back: bool = False
    """Whether the answer is the fallback's."""
    _reader: asyncio.Task[object] | None = None
    """The task that waits for the first content of an answer."""
    _switching: bool = field(default=False)

    async def events(self) -> AsyncGenerator[AskingEvent, None]:
        """The answer's words, and where it pauses for a tool; the last event is `Finished`.

        Raises:
            BrainError: nothing more will come. Text that was given before stands.
        """
        request = self.request
        for _ in range(1 + self.tools.max_rounds):
            said: list[str] = []
            again = False
            async with aclosing(self._answer(request)) as answer:
                async for event in answer:
                    if isinstance(event, TextDelta):
                        said.append(event.text)
                        yield event
                    elif isinstance(event, ToolCall):
                        self.tools.take(event)
                    else:
                        again = self.tools.end_answer("".join(said))
                        if not again:
                            # Not held back until the stream ends, which may take a moment longer.
                            yield event
            if not again:
                return
            yield Pausing()
            results = await self.tools.results()
            told = tuple(results.messages("".join(said)))
            request = replace(request, messages=(*request.messages, *told), context_line="")
        if not any(tool_round.text.strip() for tool_round in self.tools.rounds):
            raise BrainError("protocol", "The brain called tools again and again and said nothing; see its log.")
        yield Finished("tool_rounds")

    def fall_back(self) -> bool:
        """Give the present request up for the fallback's, unless it has given content; whether that was done."""
        reader = self._reader
        if reader is None or self._switching or self.fell_back or self.fallback is None:
            return False
        self._switching = True
        reader.cancel()
        return True

    async def _answer(self, request: BrainRequest) -> AsyncGenerator[BrainEvent, None]:
        """One answer, by the fallback where the brain gives none."""
        began = False
        while True:
            brain = self.fallback if self.fell_back and self.fallback is not None else self.brain
            reader = self._reader = asyncio.current_task()
            try:
                async with aclosing(brain.reply(request)) as answer:
                    async for event in answer:
                        began, self._reader = True, None
                        yield event
            except BrainError as error:
                if began or self.fell_back or self.fallback is None:
                    raise
                self.notice("BRAIN_FAILED", str(error))
            except asyncio.CancelledError:
                # Ours, unless somebody else cancels the task as well.
                if not self._switching or reader is None or reader.uncancel() > 0:
                    raise
            else:
                return
            finally:
                self._reader = None
            self._switching, self.fell_back = False, True
            log.warning("asking the fallback brain")
            self.notice("BRAIN_FELL_BACK", "The brain gave no answer; the fallback is asked instead.")
