"""The real service on a loopback port, and a client that checks the contract's order as it reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc

from parley.audio.v1 import audio_pb2
from parley.tts.v1 import tts_pb2, tts_pb2_grpc
from servicekit.audio import MULAW_8K, bytes_per_sample
from servicekit.protocol import SynthesizeOrder
from servicekit.server import DrainSettings, GrpcServer, Slots
from servicekit.telemetry import Telemetry
from tts_service.cache import DiskCache, SegmentCache
from tts_service.service import SERVICE_NAME, TextToSpeech
from tts_service.settings import CacheSettings, TtsSettings
from tts_service.speaking import Speaking
from tts_service.speech import Engine

PLAIN = TtsSettings(normalise=False, cache=CacheSettings(memory_mb=0))
"""Nothing is kept and no level changed: what is heard is what an engine says, each time anew."""


@dataclass
class Loopback:
    """A running service and a stub that talks to it."""

    stub: tts_pb2_grpc.TextToSpeechAsyncStub
    server: GrpcServer
    slots: Slots


@asynccontextmanager
async def serving(
    engine: Engine,
    settings: TtsSettings | None = None,
    *,
    capacity: int = 0,
    telemetry: Telemetry | None = None,
    disk: DiskCache | None = None,
) -> AsyncIterator[Loopback]:
    """Serve an engine for the length of a block, :data:`PLAIN` unless told otherwise, and drain afterwards.

    Nothing is kept on disk but on ``disk``.
    """
    settings = settings or PLAIN
    await engine.open()
    telemetry = telemetry or Telemetry("parley-tts")
    server = GrpcServer(
        listen="127.0.0.1:0", telemetry=telemetry, drain=DrainSettings(timeout_s=10), services=[SERVICE_NAME]
    )
    slots = Slots(capacity or engine.info.capacity)
    cache = SegmentCache(settings.cache, telemetry, disk=disk)
    servicer = TextToSpeech(
        Speaking(engine, settings, cache), settings, server=server, slots=slots, telemetry=telemetry
    )
    tts_pb2_grpc.add_TextToSpeechServicer_to_server(servicer, server.grpc)
    address = await server.start()
    server.set_serving()
    options = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 16_384), ("grpc.enable_http_proxy", 0)]
    try:
        async with grpc.aio.insecure_channel(address, options=options) as channel:
            yield Loopback(tts_pb2_grpc.TextToSpeechStub(channel), server, slots)
    finally:
        await server.drain(slots=slots)
        await engine.close()
        await cache.close()


def config(
    voice: str = "",
    language: str = "",
    *,
    fmt: audio_pb2.AudioFormat = MULAW_8K,
    speed: float = 0,
    alignments: bool = True,
    keep: bool = False,
) -> tts_pb2.SynthesizeRequest:
    """A config message."""
    return tts_pb2.SynthesizeRequest(
        config=tts_pb2.SynthesizeConfig(
            voice=voice, language=language, format=fmt, speed=speed, alignments=alignments, keep=keep
        )
    )


def text(segment: int, words: str, voice: str = "", language: str = "") -> tts_pb2.SynthesizeRequest:
    """A text message."""
    return tts_pb2.SynthesizeRequest(text=tts_pb2.Text(segment=segment, text=words, voice=voice, language=language))


SynthesizeCall = grpc.aio.StreamStreamCall[tts_pb2.SynthesizeRequest, tts_pb2.SynthesizeResponse]

FLUSH = tts_pb2.SynthesizeRequest(flush=tts_pb2.Flush())
FINISH = tts_pb2.SynthesizeRequest(finish=tts_pb2.Finish())


@dataclass
class Heard:
    """What a reply consisted of."""

    ready: tts_pb2.Ready | None = None
    audio: list[tts_pb2.Audio] = field(default_factory=list)
    ranges: dict[int, list[tts_pb2.AlignedRange]] = field(default_factory=dict)
    done: list[tts_pb2.SegmentDone] = field(default_factory=list)
    finished: tts_pb2.Finished | None = None

    def add(self, message: tts_pb2.SynthesizeResponse) -> None:
        """Keep a message."""
        kind = message.WhichOneof("message")
        if kind == "ready":
            self.ready = message.ready
        elif kind == "audio":
            self.audio.append(message.audio)
        elif kind == "alignment":
            self.ranges.setdefault(message.alignment.segment, []).extend(message.alignment.ranges)
        elif kind == "segment_done":
            self.done.append(message.segment_done)
        elif kind == "finished":
            self.finished = message.finished

    @property
    def payload(self) -> bytes:
        """The reply's bytes."""
        return b"".join(message.payload for message in self.audio)

    def samples(self, segment: int) -> int:
        """Samples that came for a segment."""
        assert self.ready is not None
        width = bytes_per_sample(self.ready.format)
        return sum(len(message.payload) for message in self.audio if message.segment == segment) // width


async def synthesize(stub: tts_pb2_grpc.TextToSpeechAsyncStub, messages: Sequence[tts_pb2.SynthesizeRequest]) -> Heard:
    """Send messages, half-close, read to the end; raises AioRpcError, and OrderError for a server that errs."""
    call = stub.Synthesize(iter(messages))
    order = SynthesizeOrder()
    for message in messages:
        order.client(message)
    heard = Heard()
    async for response in call:
        order.server(response)
        heard.add(response)
    return heard


async def response(call: SynthesizeCall) -> tts_pb2.SynthesizeResponse:
    """The next response of a call that is written to and read from step by step; there must be one."""
    message = await call.read()
    assert isinstance(message, tts_pb2.SynthesizeResponse)
    return message


async def messages_left(call: SynthesizeCall) -> AsyncIterator[tts_pb2.SynthesizeResponse]:
    """The responses still to come of such a call."""
    while isinstance(message := await call.read(), tts_pb2.SynthesizeResponse):
        yield message


async def until(condition: Callable[[], bool]) -> None:
    """Give turns to everybody else until something holds; the test's timeout guards against never."""
    while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
        await asyncio.sleep(0)


async def refused(
    stub: tts_pb2_grpc.TextToSpeechAsyncStub,
    messages: Sequence[tts_pb2.SynthesizeRequest],
    *,
    half_close: bool = False,
) -> grpc.aio.AioRpcError:
    """Send messages, of which none before the last must be refused; give the error.

    What a client writes after it was refused, its half-close too, may end the call with an INTERNAL of its own making
    before it reads the server's status.
    """
    call = stub.Synthesize()
    for message in messages:
        await call.write(message)
    if half_close:
        await call.done_writing()
    try:
        while isinstance(await call.read(), tts_pb2.SynthesizeResponse):
            pass
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError("it was accepted")
