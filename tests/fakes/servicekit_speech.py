"""A speech-to-text servicer whose behaviour a test chooses, behind a real server of servicekit on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc.aio
from opentelemetry import trace
from opentelemetry.trace import SpanContext

from parley.stt.v1 import stt_pb2, stt_pb2_grpc
from servicekit.channels import open_channel
from servicekit.server import DrainSettings, GrpcServer, Slots
from servicekit.telemetry import Telemetry

SERVICE = "parley.stt.v1.SpeechToText"
RECOGNIZE = f"{SERVICE}/Recognize"

Context = grpc.aio.ServicerContext[Any, Any]
Recognize = Callable[["FakeSpeechToText", AsyncIterator[stt_pb2.RecognizeRequest], Context], Awaitable[None]]


def ready() -> stt_pb2.RecognizeResponse:
    return stt_pb2.RecognizeResponse(ready=stt_pb2.Ready(engine="fake"))


def final(text: str = "") -> stt_pb2.RecognizeResponse:
    return stt_pb2.RecognizeResponse(final=stt_pb2.Final(text=text))


async def next_of(call: Any) -> stt_pb2.RecognizeResponse:
    """The next response of a call that must have one."""
    response = await call.read()
    assert isinstance(response, stt_pb2.RecognizeResponse), "the stream has ended"
    return response


def audio(payload: bytes = b"\xff" * 160) -> stt_pb2.RecognizeRequest:
    return stt_pb2.RecognizeRequest(audio=stt_pb2.AudioChunk(payload=payload))


def finish() -> stt_pb2.RecognizeRequest:
    return stt_pb2.RecognizeRequest(finish=stt_pb2.Finish())


class FakeSpeechToText(stt_pb2_grpc.SpeechToTextServicer):
    """Recognises as `recognize` says; records where it got to and which span was active."""

    def __init__(self, recognize: Recognize) -> None:
        self._recognize = recognize
        self.entered = asyncio.Event()
        self.left = asyncio.Event()
        self.active_span: SpanContext = trace.INVALID_SPAN_CONTEXT

    async def Recognize(  # type: ignore[override]  # noqa: N802 - the contract's name
        self, request_iterator: AsyncIterator[stt_pb2.RecognizeRequest], context: Context
    ) -> None:
        self.active_span = trace.get_current_span().get_span_context()
        self.entered.set()
        try:
            await self._recognize(self, request_iterator, context)
        finally:
            self.left.set()

    async def GetInfo(  # noqa: N802 - the contract's name
        self, request: stt_pb2.GetInfoRequest, context: Context
    ) -> stt_pb2.GetInfoResponse:
        self.active_span = trace.get_current_span().get_span_context()
        return stt_pb2.GetInfoResponse(contract="parley.stt.v1", engine="fake")


async def _say_nothing(*_: object) -> None:
    """Recognise nothing."""


class FakeYieldingSpeechToText(FakeSpeechToText):
    """Recognises by yielding: one final per piece of audio, and says when its generator was closed."""

    def __init__(self) -> None:
        super().__init__(_say_nothing)
        self.closed = asyncio.Event()

    async def Recognize(  # type: ignore[override]  # noqa: N802 - the contract's name
        self, request_iterator: AsyncIterator[stt_pb2.RecognizeRequest], context: Context
    ) -> AsyncIterator[stt_pb2.RecognizeResponse]:
        try:
            yield ready()
            async for request in request_iterator:
                self.active_span = trace.get_current_span().get_span_context()
                yield final(str(len(request.audio.payload)))
        finally:
            self.closed.set()


@dataclass
class Served:
    """A server, what it serves, and a client of it."""

    server: GrpcServer
    slots: Slots
    address: str
    channel: grpc.aio.Channel
    """As services open one: it turns away from a server that is not serving."""
    plain: grpc.aio.Channel
    """As a stranger opens one."""
    stub: stt_pb2_grpc.SpeechToTextAsyncStub = field(init=False)

    def __post_init__(self) -> None:
        self.stub = stt_pb2_grpc.SpeechToTextStub(self.channel)


@asynccontextmanager
async def serving(
    servicer: stt_pb2_grpc.SpeechToTextServicer,
    *,
    telemetry: Telemetry | None = None,
    capacity: int = 2,
    drain: DrainSettings | None = None,
    serve: bool = True,
) -> AsyncIterator[Served]:
    """Serve ``servicer`` on a port of the system's choice, with a channel to it; drained at the end."""
    server = GrpcServer(
        listen="127.0.0.1:0",
        telemetry=telemetry or Telemetry("parley-stt"),
        drain=drain or DrainSettings(timeout_s=0),
        services=[SERVICE],
    )
    stt_pb2_grpc.add_SpeechToTextServicer_to_server(servicer, server.grpc)
    slots = Slots(capacity)
    address = await server.start()
    if serve:
        server.set_serving()
    async with open_channel(address) as channel, grpc.aio.insecure_channel(address) as plain:
        try:
            yield Served(server, slots, address, channel, plain)
        finally:
            await server.drain(slots=slots)
