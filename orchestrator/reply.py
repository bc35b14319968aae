"""One candidate reply: the brain's text, made speakable, made sound."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from orchestrator.brain import Brain, BrainError, BrainEvent, BrainRequest, TextDelta, ToolCall
from orchestrator.engine import Event, HangUpAsked, ReplyContent, ReplyFailed, ReplyWritten
from orchestrator.speech_text import SpeechChunker, SpeechSegment
from orchestrator.spoken import SpokenReply
from orchestrator.synthesis import SegmentQueue, Synthesis, SynthesisError
from servicekit.logs import get_logger

log = get_logger(__name__)

END_CALL = "end_call"
# A sentence waits for the character behind its full stop, which may prove it a number. A brain that is silent for this
# long has ended the sentence: it looks something up, or has stalled.
LULL_S = 0.3


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
    _chunker: SpeechChunker = field(init=False)
    _segments: SegmentQueue = field(default_factory=SegmentQueue)
    _spoken_of: int = 0
    _spoken_to: int = 0
    """Code points of the reply as written that the segments so far account for."""
    _lull: asyncio.TimerHandle | None = None
    _text_at: float = 0.0
    """When the last text came, on the loop's clock."""
    _cut_short: bool = False
    _unspeakable: bool = False
    _finished: bool = False

    def __post_init__(self) -> None:
        self._chunker = SpeechChunker(self.language)

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
        self.milestone("llm_request")
        try:
            async with aclosing(self.brain.reply(self.request)) as answer:
                async for event in answer:
                    self._take(event)
            self._finish()
        except BrainError as error:
            self.notice("BRAIN_FAILED", str(error))
            self._fail()
        except asyncio.CancelledError:
            if self._unspeakable:
                return
            if not self._cut_short:
                raise
            self.notice("BRAIN_STALLED", "The brain stopped in mid-reply; what was whole is spoken.")
            self._fail()
        finally:
            if self._lull is not None:
                self._lull.cancel()
            self._segments.close()

    def _take(self, event: BrainEvent) -> None:
        if isinstance(event, TextDelta):
            if not self.spoken.written:
                self.milestone("llm_first_content")
            self.spoken.written += event.text
            self._queue(self._chunker.push(event.text))
            self._watch_for_lull()
            self.post(ReplyContent(self.now_ms(), self.candidate_id))
        elif isinstance(event, ToolCall):
            self._use_tool(event)
        else:
            self._finish()

    def _finish(self) -> None:
        """The brain has said its last word, though its stream may take a moment longer to end."""
        if self._finished:
            return
        self._finished = True
        self._queue(self._chunker.finish())
        self._segments.close()
        self.post(ReplyWritten(self.now_ms(), self.candidate_id, silent=self._spoken_of == 0))

    def _fail(self) -> None:
        """Nothing more will come: what is whole is spoken, and the rest counts as never written."""
        if self._finished:
            return
        self._queue(self._chunker.settle())
        self.spoken.written = self.spoken.written[: self._spoken_to]
        self.post(ReplyFailed(self.now_ms(), self.candidate_id, audible=self._spoken_of > 0))

    def _watch_for_lull(self) -> None:
        """One timer for many deltas: it looks again when it finds that text has come since."""
        loop = asyncio.get_running_loop()
        self._text_at = loop.time()
        if self._lull is None:
            self._lull = loop.call_later(LULL_S, self._look_for_lull)

    def _look_for_lull(self) -> None:
        loop = asyncio.get_running_loop()
        self._lull = None
        if self._finished:
            return
        if loop.time() < self._text_at + LULL_S:
            self._lull = loop.call_at(self._text_at + LULL_S, self._look_for_lull)
        else:
            self._queue(self._chunker.settle())

    def _queue(self, segments: list[SpeechSegment]) -> None:
        for segment in segments:
            if self._spoken_of == 0:
                self.milestone("first_clause")
            self._spoken_of += 1
            self._spoken_to = segment.written_end
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
