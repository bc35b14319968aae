"""The real service on a loopback port, and a client that checks the contract's order as it reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray

from parley.audio.v1 import audio_pb2
from parley.stt.v1 import stt_pb2, stt_pb2_grpc
from servicekit.audio import MULAW_8K, WireEncoder
from servicekit.protocol import RecognizeOrder
from servicekit.server import DrainSettings, GrpcServer, Slots
from servicekit.telemetry import Telemetry
from stt_service.engines.interface import Engine
from stt_service.service import SERVICE_NAME, SpeechToText
from stt_service.settings import SttSettings
from tts_service import espeak_speech

RecognizeCall = grpc.aio.StreamStreamCall[stt_pb2.RecognizeRequest, stt_pb2.RecognizeResponse]

FINISH = stt_pb2.RecognizeRequest(finish=stt_pb2.Finish())


@dataclass
class Loopback:
    """A running service and a stub that talks to it."""

    stub: stt_pb2_grpc.SpeechToTextAsyncStub
    server: GrpcServer
    slots: Slots


@asynccontextmanager
async def serving(
    engine: Engine, settings: SttSettings | None = None, *, capacity: int = 0, telemetry: Telemetry | None = None
) -> AsyncIterator[Loopback]:
    """Open an engine and serve it for the length of a block; drain and close it afterwards."""
    telemetry = telemetry or Telemetry("parley-stt")
    server = GrpcServer(
        listen="127.0.0.1:0", telemetry=telemetry, drain=DrainSettings(timeout_s=10), services=[SERVICE_NAME]
    )
    await engine.open()
    try:
        slots = Slots(capacity or engine.info.capacity)
        servicer = SpeechToText(engine, settings or SttSettings(), server=server, slots=slots, telemetry=telemetry)
        stt_pb2_grpc.add_SpeechToTextServicer_to_server(servicer, server.grpc)
        address = await server.start()
        server.set_serving()
        try:
            async with grpc.aio.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
                yield Loopback(stt_pb2_grpc.SpeechToTextStub(channel), server, slots)
        finally:
            await server.drain(slots=slots)
    finally:
        await engine.close()


def config(
    fmt: audio_pb2.AudioFormat = MULAW_8K, languages: Sequence[str] = ("en",), **more: Any
) -> stt_pb2.RecognizeRequest:
    """A config message."""
    return stt_pb2.RecognizeRequest(config=stt_pb2.RecognizeConfig(format=fmt, languages=languages, **more))


def audio(payload: bytes) -> stt_pb2.RecognizeRequest:
    """An audio message."""
    return stt_pb2.RecognizeRequest(audio=stt_pb2.AudioChunk(payload=payload))


def finalize(number: int) -> stt_pb2.RecognizeRequest:
    """A finalize message."""
    return stt_pb2.RecognizeRequest(finalize=stt_pb2.Finalize(id=number))


def in_pieces(payload: bytes, size: int = 160) -> list[stt_pb2.RecognizeRequest]:
    """Audio messages of a size; 160 bytes are the telephone's 20 ms."""
    return [audio(payload[start : start + size]) for start in range(0, len(payload), size)]


def spoken(
    words: str,
    voice: str = "en-us",
    *,
    fmt: audio_pb2.AudioFormat = MULAW_8K,
    snr_db: float = 25,
    lead_s: float = 0.3,
    tail_s: float = 0.3,
    rate_wpm: int = 165,
    seed: int = 0,
) -> bytes:
    """An eSpeak voice in a format, at -20 dBFS, with white noise under it and around it."""
    speech, rate_hz = espeak_speech(words, voice, rate_wpm=rate_wpm)
    voiced = speech[np.abs(speech) > 0.01]
    speech = speech * np.float32(0.1 / np.sqrt(np.mean(voiced**2)))
    silences = [np.zeros(int(rate_hz * seconds), np.float32) for seconds in (lead_s, tail_s)]
    line = np.concatenate([silences[0], speech, silences[1]])
    return on_the_line(line, rate_hz, fmt, noise_dbfs=-20 - snr_db, seed=seed)


def on_the_line(
    samples: NDArray[np.float32],
    rate_hz: int,
    fmt: audio_pb2.AudioFormat = MULAW_8K,
    *,
    noise_dbfs: float = -45,
    seed: int = 0,
) -> bytes:
    """Samples with white noise in a format of the wire."""
    noise = np.random.default_rng(seed).standard_normal(samples.shape, dtype=np.float32)
    encoder = WireEncoder(rate_hz, fmt)
    noisy = samples + noise * np.float32(10 ** (noise_dbfs / 20))
    return encoder.encode(noisy) + encoder.flush()


@dataclass
class Understood:
    """What came back of an utterance."""

    ready: stt_pb2.Ready | None = None
    partials: list[stt_pb2.Partial] = field(default_factory=list)
    finals: list[stt_pb2.Final] = field(default_factory=list)

    def add(self, message: stt_pb2.RecognizeResponse) -> None:
        """Keep a message."""
        kind = message.WhichOneof("message")
        if kind == "ready":
            self.ready = message.ready
        elif kind == "partial":
            self.partials.append(message.partial)
        elif kind == "final":
            self.finals.append(message.final)

    @property
    def text(self) -> str:
        """The last final's text."""
        return self.finals[-1].text


async def recognize(
    stub: stt_pb2_grpc.SpeechToTextAsyncStub, messages: Sequence[stt_pb2.RecognizeRequest]
) -> Understood:
    """Send messages, half-close, read to the end; raises AioRpcError, and OrderError for a server that errs."""
    call = stub.Recognize(iter(messages))
    order = RecognizeOrder()
    for message in messages:
        order.client(message)
    understood = Understood()
    async for answer in call:
        order.server(answer)
        understood.add(answer)
    return understood


async def refused(
    stub: stt_pb2_grpc.SpeechToTextAsyncStub,
    messages: Sequence[stt_pb2.RecognizeRequest],
    *,
    half_close: bool = False,
) -> grpc.aio.AioRpcError:
    """Send messages, of which none before the last must be refused; give the error.

    What a client writes after it was refused, its half-close too, may end the call with an INTERNAL of its own making
    before it reads the server's status.
    """
    call = stub.Recognize()
    for message in messages:
        await call.write(message)
    if half_close:
        await call.done_writing()
    try:
        while isinstance(await call.read(), stt_pb2.RecognizeResponse):
            pass
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError("it was accepted")


async def response(call: RecognizeCall) -> stt_pb2.RecognizeResponse:
    """The next response of a call that is written to and read from step by step; there must be one."""
    message = await call.read()
    assert isinstance(message, stt_pb2.RecognizeResponse)
    return message


async def until(condition: Callable[[], bool]) -> None:
    """Give turns to everybody else until something holds; the test's timeout guards against never."""
    while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
        await asyncio.sleep(0)
