"""One Recognize RPC from its config to its end: reading audio, asking the engine, writing what it understood."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration

from parley.audio.v1 import audio_pb2
from parley.stt.v1 import stt_pb2
from servicekit import semconv
from servicekit.protocol import RecognizeOrder
from servicekit.server import Lease
from servicekit.telemetry import Telemetry
from stt_service.engines.interface import Engine, Partial, Request, Transcript, Word
from stt_service.hearing import Hearing

_BITE_BYTES = 32_000
"""Payload that is decoded in one go: a few milliseconds of work at most."""

Write = Callable[[stt_pb2.RecognizeResponse], Awaitable[None]]


class ClientGoneError(Exception):
    """The stream ended without `finish`: the client went away."""


class IdleError(Exception):
    """The client's next message did not come in time."""


@dataclass(frozen=True, slots=True)
class _Question:
    """A `finalize`, or a `finish` when the id is 0, that the engine is answering."""

    finalize_id: int
    answer: asyncio.Future[Transcript]
    audio_s: float
    asked_at: float


class Recognition:
    """Recognises one utterance.

    Two tasks and no more: the reader feeds the engine, the RPC's own task writes. The newest partial and the newest
    question wait for the writer, older ones are forgotten, so a slow client costs no memory. The lease is released
    when the engine has let go, be it after the RPC.
    """

    def __init__(
        self,
        engine: Engine,
        lease: Lease,
        request: Request,
        hearing: Hearing,
        *,
        idle_timeout_s: float,
        telemetry: Telemetry,
        on_final: Callable[[float], None],
    ) -> None:
        """Begin the utterance; ``on_final`` is told how long each final took, in ms.

        Raises LanguageUnsupportedError, the lease being given back.
        """
        self._engine = engine
        self._hearing = hearing
        self._idle_timeout_s = idle_timeout_s
        self._telemetry = telemetry
        self._on_final = on_final
        self._partials = request.partials and engine.info.partials
        self._wants_word_times = request.word_times
        self._partial: Partial | None = None
        self._question: _Question | None = None
        self._news = asyncio.Event()
        self._heard_at = time.monotonic()
        try:
            self._utterance = engine.begin(request, self._take_partial)
        except BaseException:
            lease.release()
            raise
        self._utterance.ended.add_done_callback(lambda _: lease.release())

    async def run(self, order: RecognizeOrder, requests: AsyncIterator[stt_pb2.RecognizeRequest], write: Write) -> None:
        """Recognise until `finish` is answered.

        Raises OrderError or AudioTooLongError for what the client sent, and ClientGoneError, IdleError or EngineError.
        """
        ready = stt_pb2.Ready(engine=self._engine.info.name, partials=self._partials)
        try:
            await write(stt_pb2.RecognizeResponse(ready=ready))
            async with asyncio.TaskGroup() as tasks:
                # Reads on after `finish`, so that what must not follow it is refused while the answer is made.
                reader = tasks.create_task(self._read(order, requests))
                await self._write_all(write)
                reader.cancel()
        except BaseExceptionGroup as group:
            # Whichever task failed first cancelled the other: one error, which the group only wraps.
            raise group.exceptions[0] from group.exceptions[0].__cause__
        finally:
            self._utterance.cancel()

    async def _read(self, order: RecognizeOrder, requests: AsyncIterator[stt_pb2.RecognizeRequest]) -> None:
        async for request in requests:
            self._heard_at = time.monotonic()
            kind = order.client(request)
            if kind == "audio":
                await self._hear(request.audio.payload)
            elif kind == "finalize":
                self._ask(request.finalize.id)
            elif kind == "finish":
                self._ask(0)
        if not order.client_finished:
            raise ClientGoneError

    async def _hear(self, payload: bytes) -> None:
        self._utterance.feed(self._hearing.hear(payload[:_BITE_BYTES]))
        for start in range(_BITE_BYTES, len(payload), _BITE_BYTES):
            # A message may hold two minutes: others get their turn between its pieces.
            await asyncio.sleep(0)
            self._utterance.feed(self._hearing.hear(payload[start : start + _BITE_BYTES]))

    def _ask(self, finalize_id: int) -> None:
        overtaken = self._question
        # Asked here and not by the writer: the engine counts the audio that came before, and none that comes after.
        answer = self._utterance.transcribe()
        answer.add_done_callback(lambda _: self._news.set())
        self._question = _Question(finalize_id, answer, self._hearing.seconds, time.monotonic())
        if overtaken is not None:
            overtaken.answer.cancel()

    def _take_partial(self, partial: Partial) -> None:
        self._partial = partial
        self._news.set()

    async def _write_all(self, write: Write) -> None:
        while True:
            await self._next_news()
            question = self._question
            if question is not None and question.answer.done():
                self._question = self._partial = None
                await self._write_final(question, write)
                if question.finalize_id == 0:
                    return
            elif self._partial is not None and question is None:
                # While a final is on its way a partial would only delay it.
                partial, self._partial = self._partial, None
                await write(stt_pb2.RecognizeResponse(partial=self._partial_message(partial)))

    async def _next_news(self) -> None:
        """Wait for a partial or an answer; IdleError when the client is silent and nobody else has work to do."""
        while not self._news.is_set():
            wait_s = self._idle_timeout_s - (time.monotonic() - self._heard_at)
            if wait_s <= 0 and self._question is None:
                raise IdleError(f"nothing came for {self._idle_timeout_s:g} s; finish the utterance or cancel it")
            try:
                async with asyncio.timeout(wait_s if self._question is None else None):
                    await self._news.wait()
            except TimeoutError:
                continue
        self._news.clear()

    async def _write_final(self, question: _Question, write: Write) -> None:
        with self._telemetry.tracer.start_as_current_span(
            semconv.SPAN_STT_DECODE,
            start_time=time.time_ns() - round(1e9 * (time.monotonic() - question.asked_at)),
            attributes={
                semconv.VOICE_ENGINE: self._engine.info.name,
                semconv.VOICE_MODEL: self._engine.info.model,
                semconv.VOICE_FINALIZE_ID: question.finalize_id,
                semconv.VOICE_AUDIO_MS: round(1000 * question.audio_s),
            },
        ) as span:
            transcript = await question.answer
            span.set_attribute(semconv.VOICE_TRANSCRIPT_CHARACTERS, len(transcript.text))
            span.set_attribute(semconv.VOICE_QUEUE_MS, round(1000 * transcript.queue_s))
            if transcript.language:
                span.set_attribute(semconv.VOICE_LANGUAGE, transcript.language)
            await write(stt_pb2.RecognizeResponse(final=self._final_message(question, transcript)))
        self._on_final(1000 * (time.monotonic() - question.asked_at))

    def _partial_message(self, partial: Partial) -> stt_pb2.Partial:
        return stt_pb2.Partial(
            stable_text=partial.stable,
            unstable_text=partial.unstable,
            words=self._word_times(partial.words),
            audio_end=_duration(partial.audio_end_s),
        )

    def _final_message(self, question: _Question, transcript: Transcript) -> stt_pb2.Final:
        return stt_pb2.Final(
            finalize_id=question.finalize_id,
            text=transcript.text,
            language=transcript.language,
            confidence=transcript.confidence,
            words=self._word_times(transcript.words),
            audio_end=_duration(question.audio_s),
            language_confidence=transcript.language_confidence,
        )

    def _word_times(self, words: tuple[Word, ...]) -> list[audio_pb2.WordTime]:
        if not self._wants_word_times:
            return []
        rate_hz = self._hearing.rate_hz
        return [
            audio_pb2.WordTime(
                word=word.text,
                start_sample=round(word.start_s * rate_hz),
                end_sample=round(word.end_s * rate_hz),
                confidence=word.confidence,
            )
            for word in words
        ]


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1e6) * 1000)
    return duration
