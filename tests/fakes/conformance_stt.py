"""A speech-to-text server that keeps the contract.

It understands a word for every fifth of a second that is not silent. Those that break it are
made from it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import grpc
import grpc.aio
import numpy as np

from parley.audio.v1 import audio_pb2
from parley.stt.v1 import stt_pb2, stt_pb2_grpc
from servicekit.audio import MULAW_8K, WireDecoder, pcm, same_format
from servicekit.errors import Reason, abort
from servicekit.protocol import OrderError, RecognizeOrder
from servicekit.server import DrainSettings, GrpcServer, Lease, Slots
from servicekit.telemetry import Telemetry

Context = grpc.aio.ServicerContext[Any, Any]
SERVICE = "parley.stt.v1.SpeechToText"
INVALID = grpc.StatusCode.INVALID_ARGUMENT
_MIB = 1 << 20


@dataclass
class Utterance:
    """What was heard."""

    config: stt_pb2.RecognizeConfig
    samples: int = 0
    loud: int = 0
    finalizes: list[int] = field(default_factory=list)
    partial_at: int = 0

    def __post_init__(self) -> None:
        self.decoder = WireDecoder(self.config.format) if self.config.format.sample_rate_hz else None

    @property
    def rate_hz(self) -> int:
        return self.config.format.sample_rate_hz

    @property
    def words(self) -> list[str]:
        return [f"word{number}" for number in range(self.loud * 5 // self.rate_hz)]

    def hear(self, payload: bytes) -> None:
        assert self.decoder is not None
        samples = self.decoder.decode(payload)
        self.samples += len(samples)
        self.loud += int(np.count_nonzero(np.abs(samples) > 0.002))


class FakeSpeechToText(stt_pb2_grpc.SpeechToTextServicer):
    """Keeps the contract."""

    reds: ClassVar[frozenset[str]] = frozenset()
    """The cases that must find it."""
    engine = "fake"
    limitations: ClassVar[tuple[str, ...]] = ()
    formats: ClassVar[tuple[audio_pb2.AudioFormat, ...]] = (MULAW_8K, pcm(16_000))
    offered: ClassVar[tuple[audio_pb2.AudioFormat, ...]] = formats
    languages = ("en",)
    capacity = 24
    partials = True
    max_utterance_s = 40
    message_bytes = _MIB + 4096
    serving = True

    def __init__(self) -> None:
        self.slots = Slots(self.capacity)
        self.server: GrpcServer
        self.draining: asyncio.Task[None] | None = None

    # The RPC, in steps that a broken one changes.

    async def Recognize(self, _: Any, context: Context) -> None:  # type: ignore[override]  # noqa: N802
        order = RecognizeOrder()
        try:
            config = await self.first(order, context)
            if config is None:
                return
            if not any(same_format(config.format, fmt) for fmt in self.formats):
                await abort(context, INVALID, Reason.FORMAT_UNSUPPORTED, "no such format")
            if config.languages and config.languages[0] not in self.languages:
                await abort(context, INVALID, Reason.LANGUAGE_UNSUPPORTED, "no such language")
            lease = await self.admit(context)
            try:
                await self.serve(self.begin(config), order, context)
            finally:
                self.give_back(lease, context)
        except OrderError as error:
            await abort(context, INVALID, error.reason, str(error))

    async def first(self, order: RecognizeOrder, context: Context) -> stt_pb2.RecognizeConfig | None:
        request = await context.read()
        if request is grpc.aio.EOF:
            await self.gone_at_once(context)
            return None
        order.client(request)
        config: stt_pb2.RecognizeConfig = request.config
        return config

    async def admit(self, context: Context) -> Lease:
        return await self.server.admit(self.slots, context)

    def give_back(self, lease: Lease, context: Context) -> None:
        lease.release()

    def begin(self, config: stt_pb2.RecognizeConfig) -> Utterance:
        return Utterance(config)

    async def serve(self, utterance: Utterance, order: RecognizeOrder, context: Context) -> None:
        await self.say_ready(utterance, context)
        while (request := await context.read()) is not grpc.aio.EOF:
            kind = self.look(order, request)
            if kind == "audio":
                await self.hear(utterance, request.audio.payload, context)
            elif kind == "finalize":
                await self.answer_finalize(utterance, request.finalize.id, context)
            elif kind == "finish":
                await self.finish(utterance, context)
                return
        await self.gone(utterance, context)

    def look(self, order: RecognizeOrder, request: stt_pb2.RecognizeRequest) -> str:
        return order.client(request)

    async def say_ready(self, utterance: Utterance, context: Context) -> None:
        ready = stt_pb2.Ready(engine=self.engine, partials=self.partials and utterance.config.partials)
        await context.write(stt_pb2.RecognizeResponse(ready=ready))

    async def hear(self, utterance: Utterance, payload: bytes, context: Context) -> None:
        utterance.hear(payload)
        if utterance.samples > self.max_utterance_s * utterance.rate_hz:
            await abort(context, INVALID, Reason.AUDIO_TOO_LONG, "too long")
        fresh = utterance.samples - utterance.partial_at
        if utterance.config.partials and utterance.words and fresh >= utterance.rate_hz * 3 // 10:
            utterance.partial_at = utterance.samples
            await context.write(stt_pb2.RecognizeResponse(partial=self.partial(utterance)))

    def partial(self, utterance: Utterance) -> stt_pb2.Partial:
        partial = stt_pb2.Partial(stable_text=" ".join(utterance.words))
        partial.audio_end.FromNanoseconds(utterance.samples * 1_000_000_000 // utterance.rate_hz)
        return partial

    async def answer_finalize(self, utterance: Utterance, number: int, context: Context) -> None:
        utterance.finalizes.append(number)
        await context.write(stt_pb2.RecognizeResponse(final=self.final(utterance, number)))

    async def finish(self, utterance: Utterance, context: Context) -> None:
        await context.write(stt_pb2.RecognizeResponse(final=self.final(utterance, 0)))

    def final(self, utterance: Utterance, number: int) -> stt_pb2.Final:
        words = utterance.words
        final = stt_pb2.Final(finalize_id=number, text=" ".join(words), language="en", confidence=0.9)
        final.audio_end.FromNanoseconds(utterance.samples * 1_000_000_000 // utterance.rate_hz)
        if utterance.config.word_times:
            each = utterance.samples // max(1, len(words))
            final.words.extend(
                audio_pb2.WordTime(word=word, start_sample=i * each, end_sample=(i + 1) * each)
                for i, word in enumerate(words)
            )
        return final

    async def gone_at_once(self, context: Context) -> None:
        await abort(context, grpc.StatusCode.CANCELLED, Reason.MESSAGE_ORDER, "the client said nothing")

    async def gone(self, utterance: Utterance, context: Context) -> None:
        await abort(context, grpc.StatusCode.CANCELLED, Reason.MESSAGE_ORDER, "the client went away")

    async def GetInfo(  # noqa: N802 - the contract's name
        self, request: stt_pb2.GetInfoRequest, context: Any
    ) -> stt_pb2.GetInfoResponse:
        info = stt_pb2.GetInfoResponse(
            contract="parley.stt.v1",
            engine=self.engine,
            model="counts sound",
            languages=self.languages,
            formats=self.offered,
            capacity=self.capacity,
            in_use=self.slots.in_use,
            partials=self.partials,
            word_times=True,
            limitations=self.limitations,
        )
        info.max_utterance.FromSeconds(self.max_utterance_s)
        return info

    def drain(self) -> None:
        """What an operator's SIGTERM does."""
        self.draining = asyncio.create_task(self.server.drain(slots=self.slots))


@asynccontextmanager
async def fake_stt(servicer: FakeSpeechToText, telemetry: Telemetry | None = None) -> AsyncIterator[str]:
    """Serve one on loopback; yields its address."""
    server = servicer.server = GrpcServer(
        listen="127.0.0.1:0",
        telemetry=telemetry or Telemetry("parley-stt"),
        drain=DrainSettings(timeout_s=4),
        services=[SERVICE],
        max_message_bytes=servicer.message_bytes,
    )
    stt_pb2_grpc.add_SpeechToTextServicer_to_server(servicer, server.grpc)
    address = await server.start()
    if servicer.serving:
        server.set_serving()
    try:
        yield address
    finally:
        await server.grpc.stop(0)
        if servicer.draining is not None:
            await servicer.draining
