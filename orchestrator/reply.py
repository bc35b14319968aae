"""One candidate reply: the brain's text, made speakable, made sound."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from orchestrator.brain import Brain, BrainError, BrainRequest, TextDelta, ToolCall
from orchestrator.engine import Event, HangUpAsked, ReplyContent, ReplyFailed, ReplyWritten
from orchestrator.speech_text import SpeechChunker, SpeechSegment
from orchestrator.spoken import SpokenReply
from orchestrator.synthesis import SegmentQueue, Synthesis, SynthesisError
from servicekit.logs import get_logger

log = get_logger(__name__)

END_CALL = "end_call"


@dataclass(slots=True)
class Reply:
    """Asks the brain and speaks its answer into ``spoken``; tells the engine how it fares through ``post``."""

    turn_id: int
    candidate_id: int
    brain: Brain
    request: BrainRequest
    synthesis: Synthesis
    spoken: SpokenReply
    language: str
    now_ms: Callable[[], float]
    post: Callable[[Event], None]
    milestone: Callable[[str], None]
    """Called with ``llm_request``, ``llm_first_content``, ``first_clause``, ``tts_first_audio``."""
    notice: Callable[[str, str], None]
    """Called with a code and a message for the operator when something fails."""
    _writer: asyncio.Task[None] | None = None
    _segments: SegmentQueue = field(default_factory=SegmentQueue)
    _spoken_of: int = 0
    _cut_short: bool = False
    _unspeakable: bool = False
    _finished: bool = False

    async def run(self) -> None:
        """Produce the reply. Cancelling it closes the brain's request and the synthesis at once."""
        self.synthesis.on_first_audio = lambda: self.milestone("tts_first_audio")
        async with asyncio.TaskGroup() as tasks:
            self._writer = tasks.create_task(self._write(), name=f"brain {self.candidate_id}")
            tasks.create_task(self._speak(), name=f"synthesis {self.candidate_id}")

    @property
    def written(self) -> bool:
        """Whether the brain has finished."""
        return self._writer is not None and self._finished

    def cut_short(self) -> None:
        """The brain has stalled: close its request; what is whole is spoken."""
        self._cut_short = True
        if self._writer is not None:
            self._writer.cancel()

    async def _write(self) -> None:
        chunker = SpeechChunker(self.language)
        self.milestone("llm_request")
        try:
            async with aclosing(self.brain.reply(self.request)) as answer:
                async for event in answer:
                    if isinstance(event, TextDelta):
                        if not self.spoken.written:
                            self.milestone("llm_first_content")
                        self.spoken.written += event.text
                        self._queue(chunker.push(event.text))
                        self.post(ReplyContent(self.now_ms(), self.candidate_id))
                    elif isinstance(event, ToolCall):
                        self._use_tool(event)
            self._queue(chunker.finish())
            self._finished = True
            self.post(ReplyWritten(self.now_ms(), self.candidate_id, silent=self._spoken_of == 0))
        except BrainError as error:
            self.notice("BRAIN_FAILED", str(error))
            self.post(ReplyFailed(self.now_ms(), self.candidate_id, audible=self._spoken_of > 0))
        except asyncio.CancelledError:
            if self._unspeakable:
                return
            if not self._cut_short:
                raise
            self.notice("BRAIN_STALLED", "The brain stopped in mid-reply; what was whole is spoken.")
            if self._spoken_of == 0:
                self.post(ReplyFailed(self.now_ms(), self.candidate_id, audible=False))
        finally:
            self._segments.close()

    def _queue(self, segments: list[SpeechSegment]) -> None:
        for segment in segments:
            if self._spoken_of == 0:
                self.milestone("first_clause")
            self._spoken_of += 1
            self._segments.put(segment)

    def _use_tool(self, call: ToolCall) -> None:
        if call.name == END_CALL:
            # Only noted: the engine hangs up once the farewell was heard, and forgets it with a discarded candidate.
            self.post(HangUpAsked(self.now_ms(), self.candidate_id))
        else:
            self.notice("TOOL_UNKNOWN", f"The brain asked for a tool that does not exist here: {call.name[:40]}")

    async def _speak(self) -> None:
        try:
            await self.synthesis.run(self._segments, self.spoken)
        except SynthesisError as error:
            self.notice("SYNTHESIS_FAILED", str(error))
            if self._writer is not None:
                self._unspeakable = True
                self._writer.cancel()
            self.post(ReplyFailed(self.now_ms(), self.candidate_id, audible=self.spoken.samples > 0))
        else:
            if self._spoken_of and not self.spoken.samples:
                self.post(ReplyWritten(self.now_ms(), self.candidate_id, silent=True))
        finally:
            self.spoken.close()
