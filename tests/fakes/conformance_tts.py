"""A text-to-speech server that keeps the contract.

It says a twentieth of a second for every letter. Those that break it are made from it.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import grpc
import grpc.aio

from parley.audio.v1 import audio_pb2
from parley.tts.v1 import tts_pb2, tts_pb2_grpc
from servicekit.audio import MULAW_8K, bytes_per_sample, pcm, same_format
from servicekit.errors import Reason, abort
from servicekit.protocol import OrderError, SynthesizeOrder
from servicekit.server import DrainSettings, GrpcServer, Lease, Slots
from servicekit.telemetry import Telemetry

Context = grpc.aio.ServicerContext[Any, Any]
Response = tts_pb2.SynthesizeResponse
SERVICE = "parley.tts.v1.TextToSpeech"
INVALID = grpc.StatusCode.INVALID_ARGUMENT
LONGEST = 10_000
_MIB = 1 << 20


@dataclass
class Reply:
    """What was said and is still to be said."""

    config: tts_pb2.SynthesizeConfig
    segment: int = 0
    text: str = ""
    open: bool = False
    messages: int = 0
    seq: int = 0
    samples: int = 0

    @property
    def rate_hz(self) -> int:
        return self.config.format.sample_rate_hz


class FakeTextToSpeech(tts_pb2_grpc.TextToSpeechServicer):
    """Keeps the contract."""

    reds: ClassVar[frozenset[str]] = frozenset()
    """The cases that must find it."""
    engine = "fake"
    formats: ClassVar[tuple[audio_pb2.AudioFormat, ...]] = (MULAW_8K, pcm(16_000))
    offered: ClassVar[tuple[audio_pb2.AudioFormat, ...]] = formats
    languages = ("en",)
    voices = ("anna", "bert")
    default_voice = "anna"
    capacity = 24
    alignments = True
    message_bytes = _MIB + 4096
    serving = True

    def __init__(self) -> None:
        self.slots = Slots(self.capacity)
        self.server: GrpcServer
        self.draining: asyncio.Task[None] | None = None

    # The RPC, in steps that a broken one changes.

    async def Synthesize(self, _: Any, context: Context) -> None:  # type: ignore[override]  # noqa: N802
        order = SynthesizeOrder()
        try:
            config = await self.first(order, context)
            if config is None:
                return
            if not any(same_format(config.format, fmt) for fmt in self.formats):
                await abort(context, INVALID, Reason.FORMAT_UNSUPPORTED, "no such format")
            await self.check_voice(config.voice, config.language, context)
            lease = await self.admit(context)
            try:
                await self.serve(self.begin(config), order, context)
            finally:
                self.give_back(lease, context)
        except OrderError as error:
            await abort(context, INVALID, error.reason, str(error))

    async def first(self, order: SynthesizeOrder, context: Context) -> tts_pb2.SynthesizeConfig | None:
        request = await context.read()
        if request is grpc.aio.EOF:
            await self.gone_at_once(context)
            return None
        order.client(request)
        config: tts_pb2.SynthesizeConfig = request.config
        return config

    async def check_voice(self, voice: str, language: str, context: Context) -> None:
        if voice and voice not in self.voices:
            await abort(context, INVALID, Reason.VOICE_UNKNOWN, "no such voice")
        if language and language not in self.languages:
            await abort(context, INVALID, Reason.LANGUAGE_UNSUPPORTED, "no such language")

    async def admit(self, context: Context) -> Lease:
        return await self.server.admit(self.slots, context)

    def give_back(self, lease: Lease, context: Context) -> None:
        lease.release()

    def begin(self, config: tts_pb2.SynthesizeConfig) -> Reply:
        return Reply(config)

    async def serve(self, reply: Reply, order: SynthesizeOrder, context: Context) -> None:
        await context.write(Response(ready=self.ready(reply)))
        while (request := await context.read()) is not grpc.aio.EOF:
            kind = self.look(order, request)
            if kind == "text":
                await self.check_voice(request.text.voice, request.text.language, context)
                await self.add(reply, request.text, context)
            elif kind == "flush":
                await self.flush(reply, context)
            elif kind == "finish":
                await self.finish(reply, context)
                return
        await self.gone(reply, context)

    def ready(self, reply: Reply) -> tts_pb2.Ready:
        voice = reply.config.voice or self.default_voice
        return tts_pb2.Ready(format=reply.config.format, voice=voice, engine=self.engine)

    def look(self, order: SynthesizeOrder, request: tts_pb2.SynthesizeRequest) -> str:
        return order.client(request)

    async def add(self, reply: Reply, text: tts_pb2.Text, context: Context) -> None:
        if text.segment != reply.segment:
            await self.higher(reply, context)
        reply.segment, reply.open = text.segment, True
        reply.text += text.text
        reply.messages += 1
        if len(reply.text) > LONGEST:
            await abort(context, INVALID, Reason.TEXT_TOO_LONG, "too long")

    async def higher(self, reply: Reply, context: Context) -> None:
        await self.complete(reply, context)

    async def flush(self, reply: Reply, context: Context) -> None:
        await self.complete(reply, context)

    async def complete(self, reply: Reply, context: Context) -> None:
        text, was_open, reply.text, reply.open = reply.text, reply.open, "", False
        if was_open:
            await self.speak(reply, reply.segment, text, context)
        reply.messages = 0

    async def speak(self, reply: Reply, segment: int, text: str, context: Context) -> None:
        samples = self.length(reply, text)
        if reply.config.alignments and self.alignments and samples:
            alignment = tts_pb2.Alignment(segment=segment, ranges=self.ranges(text, samples))
            await context.write(Response(alignment=alignment))
        await self.sound(reply, segment, samples, context)
        done = tts_pb2.SegmentDone(segment=segment, samples=samples, silent=samples == 0)
        await context.write(Response(segment_done=done))

    def letters(self, text: str) -> int:
        return sum(unicodedata.category(char)[0] in "LN" for char in text)

    def length(self, reply: Reply, text: str) -> int:
        return self.letters(text) * reply.rate_hz // 20

    def ranges(self, text: str, samples: int) -> list[tts_pb2.AlignedRange]:
        """One a word, of equal length."""
        found, at, words = [], 0, text.split()
        for number, word in enumerate(words):
            start = text.index(word, at)
            at = start + len(word)
            found.append(
                tts_pb2.AlignedRange(
                    text_start=start,
                    text_end=at,
                    start_sample=samples * number // len(words),
                    end_sample=samples * (number + 1) // len(words),
                )
            )
        return found

    async def sound(self, reply: Reply, segment: int, samples: int, context: Context) -> None:
        width = bytes_per_sample(reply.config.format)
        for start in range(0, samples, reply.rate_hz // 5):
            reply.seq += 1
            payload = b"\x11" * (min(reply.rate_hz // 5, samples - start) * width)
            await context.write(Response(audio=tts_pb2.Audio(segment=segment, seq=reply.seq, payload=payload)))
        reply.samples += samples

    async def finish(self, reply: Reply, context: Context) -> None:
        await self.complete(reply, context)
        await context.write(self.finished(reply))

    def finished(self, reply: Reply) -> Response:
        response = Response(finished=tts_pb2.Finished())
        response.finished.duration.FromNanoseconds(reply.samples * 1_000_000_000 // reply.rate_hz)
        return response

    async def gone_at_once(self, context: Context) -> None:
        await abort(context, grpc.StatusCode.CANCELLED, Reason.MESSAGE_ORDER, "the client said nothing")

    async def gone(self, reply: Reply, context: Context) -> None:
        await abort(context, grpc.StatusCode.CANCELLED, Reason.MESSAGE_ORDER, "the client went away")

    async def GetInfo(  # noqa: N802 - the contract's name
        self, request: tts_pb2.GetInfoRequest, context: Any
    ) -> tts_pb2.GetInfoResponse:
        return tts_pb2.GetInfoResponse(
            contract="parley.tts.v1",
            engine=self.engine,
            model="one byte",
            languages=self.languages,
            formats=self.offered,
            capacity=self.capacity,
            in_use=self.slots.in_use,
            alignments=self.alignments,
            default_voice=self.default_voice,
        )

    async def ListVoices(  # noqa: N802 - the contract's name
        self, request: tts_pb2.ListVoicesRequest, context: Any
    ) -> tts_pb2.ListVoicesResponse:
        fits = not request.language or request.language in self.languages
        voices = (tts_pb2.Voice(name=name, languages=self.languages) for name in self.voices)
        return tts_pb2.ListVoicesResponse(voices=voices if fits else ())

    def drain(self) -> None:
        """What an operator's SIGTERM does."""
        self.draining = asyncio.create_task(self.server.drain(slots=self.slots))


@asynccontextmanager
async def fake_tts(servicer: FakeTextToSpeech, telemetry: Telemetry | None = None) -> AsyncIterator[str]:
    """Serve one on loopback; yields its address."""
    server = servicer.server = GrpcServer(
        listen="127.0.0.1:0",
        telemetry=telemetry or Telemetry("parley-tts"),
        drain=DrainSettings(timeout_s=4),
        services=[SERVICE],
        max_message_bytes=servicer.message_bytes,
    )
    tts_pb2_grpc.add_TextToSpeechServicer_to_server(servicer, server.grpc)
    address = await server.start()
    if servicer.serving:
        server.set_serving()
    try:
        yield address
    finally:
        await server.grpc.stop(0)
        if servicer.draining is not None:
            await servicer.draining
