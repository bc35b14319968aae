"""One Synthesize RPC from its config to its end: reading text, speaking segments, stopping."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from opentelemetry import trace

from parley.tts.v1 import tts_pb2
from servicekit import semconv
from servicekit.protocol import SynthesizeOrder
from servicekit.server import Lease
from servicekit.telemetry import Telemetry
from tts_service.delivery import ReplyDelivery
from tts_service.segments import Segment, SegmentCollector
from tts_service.speaking import Speaking
from tts_service.speech import Passage, Speech
from tts_service.text import is_pronounceable, normalised
from tts_service.voices import Voice

_SEGMENTS_AHEAD = 8
"""Complete segments that may wait to be spoken; then the client's text is no longer read."""

Write = Callable[[tts_pb2.SynthesizeResponse], Awaitable[None]]


class ClientGoneError(Exception):
    """The stream ended without `finish`: the client went away."""


class IdleError(Exception):
    """The next text did not come in time."""


class Reply:
    """Speaks one reply.

    Two tasks and no more: the reader collects segments into a bounded queue, the RPC's own task speaks them and writes.
    The lease is released when the engine has really ended, be it after the RPC.
    """

    def __init__(
        self,
        speaking: Speaking,
        lease: Lease,
        delivery: ReplyDelivery,
        *,
        ready: tts_pb2.Ready,
        voice: Voice,
        language: str,
        speed: float,
        keep: bool,
        idle_timeout_s: float,
        telemetry: Telemetry,
        on_first_audio: Callable[[float], None],
    ) -> None:
        self._speaking = speaking
        self._engine = speaking.engine
        self._lease = lease
        self._delivery = delivery
        self._ready = ready
        self._voice = voice
        self._language = language
        self._speed = speed
        self._keep = keep
        self._idle_timeout_s = idle_timeout_s
        self._telemetry = telemetry
        self._on_first_audio = on_first_audio
        self._segments: asyncio.Queue[tuple[Segment, Voice] | None] = asyncio.Queue(maxsize=_SEGMENTS_AHEAD)
        self._speech: Speech | None = None
        self._first_text_at: float | None = None
        self._heard = False

    async def run(
        self, order: SynthesizeOrder, requests: AsyncIterator[tts_pb2.SynthesizeRequest], write: Write
    ) -> None:
        """Speak until the reply is complete.

        Raises OrderError, TextTooLongError, VoiceUnknownError or LanguageUnsupportedError for what the client sent,
        and IdleError, ClientGoneError or EngineError.
        """
        try:
            await write(tts_pb2.SynthesizeResponse(ready=self._ready))
            async with asyncio.TaskGroup() as tasks:
                # Reads on after `finish`, so that what must not follow it is refused while the reply is spoken.
                reader = tasks.create_task(self._read(order, requests))
                await self._speak_all(write)
                reader.cancel()
        except BaseExceptionGroup as group:
            # Whichever task failed first cancelled the other: one error, which the group only wraps.
            raise group.exceptions[0] from group.exceptions[0].__cause__
        finally:
            self._let_go()

    def _let_go(self) -> None:
        if self._speech is None:
            self._lease.release()
            return
        self._speech.stop()
        if self._speech.ended.done():
            self._lease.release()
        else:
            self._speech.ended.add_done_callback(lambda _: self._lease.release())

    async def _read(self, order: SynthesizeOrder, requests: AsyncIterator[tts_pb2.SynthesizeRequest]) -> None:
        collector = SegmentCollector()
        async for request in requests:
            kind = order.client(request)
            if kind == "text":
                if self._first_text_at is None:
                    self._first_text_at = time.monotonic()
                await self._enqueue(collector.add(request.text))
            else:
                await self._enqueue(collector.flush())
            if kind == "finish":
                await self._segments.put(None)
        if not order.client_finished:
            raise ClientGoneError

    async def _enqueue(self, segment: Segment | None) -> None:
        if segment is not None:
            # Chosen here, so that an unknown voice is refused before segments ahead of it were spoken for nothing.
            voice = self._engine.voices.choose_segment(self._voice, segment.voice, segment.language)
            await self._segments.put((segment, voice))

    async def _next(self) -> tuple[Segment, Voice] | None:
        try:
            async with asyncio.timeout(self._idle_timeout_s):
                return await self._segments.get()
        except TimeoutError:
            raise IdleError(f"no text came for {self._idle_timeout_s:g} s; finish the reply or cancel it") from None

    async def _speak_all(self, write: Write) -> None:
        following = await self._next()
        while following is not None:
            segment, voice = following
            await self._speak(segment, voice, write)
            await write(self._delivery.done())
            following = await self._next()
        await write(self._delivery.finished())

    async def _speak(self, segment: Segment, voice: Voice, write: Write) -> None:
        text = normalised(segment.text)
        self._delivery.begin(segment.number, text)
        if not is_pronounceable(text.text):
            return
        with self._telemetry.tracer.start_as_current_span(
            semconv.SPAN_TTS_SEGMENT,
            record_exception=False,  # its causes are the engine's own, and may quote what was to be said
            attributes={
                semconv.VOICE_SEGMENT: segment.number,
                semconv.VOICE_SEGMENT_CHARACTERS: len(segment.text),
                semconv.VOICE_ENGINE: self._engine.info.name,
                semconv.VOICE_VOICE: voice.name,
            },
        ) as span:
            before = self._delivery.seconds_sent
            own = self._language if voice is self._voice else ""
            passage = Passage(text.text, voice, segment.language or own or voice.tags[0], self._speed)
            key = self._speaking.key(passage, self._delivery.format)
            kept = await self._speaking.cache.find(key, keep=self._keep)
            span.set_attribute(semconv.VOICE_CACHED, kept is not None)
            if kept is not None:
                await self._send(self._delivery.kept(kept), write, span)
            else:
                await self._synthesize(key, passage, write, span)
            span.set_attribute(semconv.VOICE_AUDIO_MS, round(1000 * (self._delivery.seconds_sent - before)))

    async def _synthesize(self, key: bytes, passage: Passage, write: Write, span: trace.Span) -> None:
        if self._keep:
            await self._speaking.know(passage.voice)
        sound = self._speaking.begin(passage, self._delivery.format)
        self._speech = speech = self._engine.speak(passage)
        async for chunk in speech:
            await self._send(self._delivery.chunk(sound, chunk), write, span)
        await self._send(self._delivery.rest(sound), write, span)
        self._speaking.finish(key, passage, sound, keep=self._keep)

    async def _send(self, messages: Iterable[tts_pb2.SynthesizeResponse], write: Write, span: trace.Span) -> None:
        for message in messages:
            await write(message)
            if not self._heard and message.HasField("audio"):
                self._note_first_audio(span)

    def _note_first_audio(self, span: trace.Span) -> None:
        self._heard = True
        span.add_event(semconv.EVENT_TTS_FIRST_AUDIO)
        if self._first_text_at is not None:
            self._on_first_audio(1000 * (time.monotonic() - self._first_text_at))
