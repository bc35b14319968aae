"""One candidate reply: the brain's text, made speakable, made sound."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from orchestrator.asking import Asking, AskingEvent, Pausing
from orchestrator.brain import Brain, BrainError, BrainRequest, TextDelta
from orchestrator.engine import Event, HangUpAsked, ReplyContent, ReplyFailed, ReplyWritten
from orchestrator.speech_text import Numbers, SpeechChunker, SpeechSegment
from orchestrator.spoken import SpokenReply
from orchestrator.synthesis import SegmentQueue, Synthesis, SynthesisError
from orchestrator.tools import END_CALL, CallTools, RefusalReason
from servicekit.logs import get_logger

__all__ = ["END_CALL", "LULL_S", "Reply"]

log = get_logger(__name__)

# What stands between the words before a tool's result and those behind it: the two must not run into one sentence.
_BEHIND_A_TOOL = "\n\n"
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
    tools: CallTools
    """The call's tools; this candidate's calls of them are noted there."""
    fallback: Brain | None = None
    """Asked in the brain's place where that fails, or is given up, before any content."""
    numbers: Numbers = "auto"
    _asking: Asking = field(init=False)
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
    _paused: bool = False
    """Whether the last words came before a tool's result."""

    def __post_init__(self) -> None:
        self._chunker = SpeechChunker(self.language, numbers=self.numbers)
        tools = self.tools.candidate(self.candidate_id, hang_up=self._hang_up, refused=self._refused)
        self._asking = Asking(self.brain, self.fallback, self.request, tools, self.notice)

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

    def fall_back(self) -> bool:
        """The brain has given no content for too long: ask the fallback instead, with the same synthesis.

        False, and nothing changes, where there is none, it was asked already, or content has come.
        """
        return self._asking.fall_back()

    async def _write(self) -> None:
        self.milestone("llm_request")
        try:
            async with aclosing(self._asking.events()) as answer:
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

    def _take(self, event: AskingEvent) -> None:
        if isinstance(event, TextDelta):
            if not self.spoken.written:
                self.milestone("llm_first_content")
                self.spoken.by_fallback |= self._asking.fell_back
            elif self._paused:
                self._queue(self._write_down(_BEHIND_A_TOOL))
            self._paused = False
            self._queue(self._write_down(event.text))
            self._watch_for_lull()
            self.post(ReplyContent(self.now_ms(), self.candidate_id))
        elif isinstance(event, Pausing):
            self._paused = True
            self._queue(self._chunker.settle())
        else:
            self._finish()

    def _write_down(self, text: str) -> list[SpeechSegment]:
        self.spoken.written += text
        return self._chunker.push(text)

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

    def _hang_up(self) -> None:
        # Only noted: the engine hangs up once the farewell was heard, and forgets it with a discarded candidate.
        self.post(HangUpAsked(self.now_ms(), self.candidate_id))

    def _refused(self, reason: RefusalReason) -> None:
        code = "TOOL_UNKNOWN" if reason is RefusalReason.UNKNOWN_TOOL else "TOOL_REFUSED"
        self.notice(code, f"The brain called a tool that is not carried out: {reason.value}.")

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
