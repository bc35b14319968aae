"""A client of the recogniser that notes when what comes back."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import grpc.aio

from parley.stt.v1 import stt_pb2, stt_pb2_grpc
from servicekit.audio import MULAW_8K
from servicekit.channels import open_channel
from toolbox.bench.stt.sayings import quiet

_PIECE_BYTES = 800
_PIECE_S = 0.1
_TAKEN_IN_S = 0.2
"""By then the service has read what was sent at once: in a call it would have come long before."""
_PAUSE_S = 0.2

Call = grpc.aio.StreamStreamCall[stt_pb2.RecognizeRequest, stt_pb2.RecognizeResponse]


@dataclass
class Heard:
    """What came of one utterance. Times in ms."""

    text: str = ""
    final_ms: float = 0.0
    """From `finish` sent until the final is here."""
    partial_gaps_ms: list[float] = field(default_factory=list)
    """From the beginning of the audio to the first partial, and from each to the next."""


class SttClient:
    """Talks to one recogniser."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Use a channel that its owner closes."""
        self._stub = stt_pb2_grpc.SpeechToTextStub(channel)

    async def info(self) -> stt_pb2.GetInfoResponse:
        """What the service says of itself."""
        return await self._stub.GetInfo(stt_pb2.GetInfoRequest())

    async def recognise(self, utterance: bytes, *, paced: bool = False, partials: bool = False) -> Heard:
        """Have one utterance recognised, sent as fast as it goes or in real time. Raises AioRpcError."""
        call = await self._begin(partials=partials)
        heard, began_at = Heard(), time.monotonic()
        if paced:
            reader = asyncio.create_task(_read(call, heard, began_at))
        try:
            await _send(call, utterance, paced=paced)
            if not paced:
                await asyncio.sleep(_TAKEN_IN_S)
            asked_at = time.monotonic()
            await call.write(stt_pb2.RecognizeRequest(finish=stt_pb2.Finish()))
            await call.done_writing()
            # The service may be told by a cancelled read that we have gone: one task reads to the end.
            heard.text = await (reader if paced else _read(call, heard, began_at))
            heard.final_ms = 1000 * (time.monotonic() - asked_at)
        finally:
            call.cancel()
        return heard

    async def press(self, utterance: bytes) -> Heard:
        """Have one utterance recognised without any pause. Raises AioRpcError."""
        call = await self._begin(partials=False)
        heard = Heard()
        try:
            await call.write(_audio(utterance))
            asked_at = time.monotonic()
            await call.write(stt_pb2.RecognizeRequest(finish=stt_pb2.Finish()))
            await call.done_writing()
            heard.text = await _read(call, heard, asked_at)
            heard.final_ms = 1000 * (time.monotonic() - asked_at)
        finally:
            call.cancel()
        return heard

    async def finalize_then_finish(self, utterance: bytes) -> float:
        """Ask for a final, wait, let a little quiet pass and finish: ms from `finish` until its final is here."""
        call = await self._begin(partials=False)
        try:
            await _send(call, utterance, paced=False)
            await call.write(stt_pb2.RecognizeRequest(finalize=stt_pb2.Finalize(id=1)))
            await _next_final(call)
            await call.write(_audio(quiet(_PAUSE_S)))
            await asyncio.sleep(_TAKEN_IN_S)
            asked_at = time.monotonic()
            await call.write(stt_pb2.RecognizeRequest(finish=stt_pb2.Finish()))
            await call.done_writing()
            await _next_final(call)
            return 1000 * (time.monotonic() - asked_at)
        finally:
            call.cancel()

    async def cut_off(self, utterance: bytes, after_s: float) -> None:
        """Begin an utterance, finish it and go away after a time, whatever has come until then."""
        call = await self._begin(partials=True)
        await call.write(_audio(utterance))
        await call.write(stt_pb2.RecognizeRequest(finish=stt_pb2.Finish()))
        await asyncio.sleep(after_s)
        call.cancel()

    async def _begin(self, *, partials: bool) -> Call:
        call: Call = self._stub.Recognize()
        config = stt_pb2.RecognizeConfig(
            format=MULAW_8K, languages=["en"], profile=stt_pb2.PROFILE_LIVE, partials=partials
        )
        await call.write(stt_pb2.RecognizeRequest(config=config))
        return call


@contextlib.asynccontextmanager
async def client_of(address: str) -> AsyncIterator[SttClient]:
    """A client of the service at an address, for the length of a block."""
    async with open_channel(address) as channel:
        yield SttClient(channel)


async def _send(call: Call, utterance: bytes, *, paced: bool) -> None:
    due = time.monotonic()
    for start in range(0, len(utterance), _PIECE_BYTES):
        if paced:
            # Audio is sent when its last sample has been spoken.
            due += _PIECE_S
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        await call.write(_audio(utterance[start : start + _PIECE_BYTES]))


async def _read(call: Call, heard: Heard, began_at: float) -> str:
    text, before = "", began_at
    async for response in call:
        now = time.monotonic()
        if response.HasField("partial"):
            heard.partial_gaps_ms.append(1000 * (now - before))
            before = now
        elif response.HasField("final"):
            text = response.final.text
    return text


async def _next_final(call: Call) -> str:
    while True:
        response = await call.read()
        assert isinstance(response, stt_pb2.RecognizeResponse), "the stream ended without a final"
        if response.HasField("final"):
            return response.final.text


def _audio(payload: bytes) -> stt_pb2.RecognizeRequest:
    return stt_pb2.RecognizeRequest(audio=stt_pb2.AudioChunk(payload=payload))
