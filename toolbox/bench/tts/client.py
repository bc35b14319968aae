"""One reply asked of a text-to-speech service, and when what of it came: a client as the orchestrator is one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import grpc.aio

from parley.tts.v1 import tts_pb2, tts_pb2_grpc
from servicekit.audio import MULAW_8K

_Call = grpc.aio.StreamStreamCall[tts_pb2.SynthesizeRequest, tts_pb2.SynthesizeResponse]

_FREE_BY_S = 30.0


@dataclass(frozen=True)
class SpokenWord:
    """A stretch of the text and where its sound lies in the reply, in seconds."""

    text: str
    start_s: float
    end_s: float


@dataclass
class Spoken:
    """A reply as it was heard. Times are ms from the opening of its RPC, before anything was written."""

    first_audio_ms: float = 0.0
    ended_ms: float = 0.0
    seconds: float = 0.0
    """Length of its sound."""
    cached: bool = False
    """Whether its first sound came from the cache."""
    payload: bytes = field(default=b"", repr=False)
    words: list[SpokenWord] = field(default_factory=list)
    """Where the service says that its words lie; empty when it has no alignments."""


@dataclass(frozen=True)
class Voice:
    """How to speak for the telephone."""

    name: str = ""
    speed: float = 1.0

    @property
    def config(self) -> tts_pb2.SynthesizeRequest:
        """The first message."""
        return tts_pb2.SynthesizeRequest(
            config=tts_pb2.SynthesizeConfig(voice=self.name, speed=self.speed, format=MULAW_8K, alignments=True)
        )


PLAIN = Voice()


async def speak(
    stub: tts_pb2_grpc.TextToSpeechAsyncStub, segments: Sequence[str], voice: Voice = PLAIN, *, apart_s: float = 0.0
) -> Spoken:
    """Have segments spoken and hear all of them; each is sent `apart_s` after the one before.

    Raises AioRpcError.
    """
    began = time.perf_counter()
    call = stub.Synthesize(_written(segments, voice, apart_s))
    spoken = Spoken()
    parts: list[bytes] = []
    ranges: list[tuple[int, tts_pb2.AlignedRange]] = []
    begins: dict[int, int] = {}
    samples = 0
    async for message in call:
        if message.HasField("audio"):
            if not parts:
                spoken.first_audio_ms = 1000 * (time.perf_counter() - began)
                spoken.cached = message.audio.cached
            begins.setdefault(message.audio.segment, samples)
            parts.append(message.audio.payload)
            samples += len(message.audio.payload)
        elif message.HasField("alignment"):
            ranges += [(message.alignment.segment, each) for each in message.alignment.ranges]
    spoken.ended_ms = 1000 * (time.perf_counter() - began)
    spoken.payload = b"".join(parts)
    spoken.seconds = samples / MULAW_8K.sample_rate_hz
    spoken.words = [
        SpokenWord(
            segments[segment - 1][each.text_start : each.text_end],
            (begins[segment] + each.start_sample) / MULAW_8K.sample_rate_hz,
            (begins[segment] + each.end_sample) / MULAW_8K.sample_rate_hz,
        )
        for segment, each in ranges
        if segment in begins
    ]
    return spoken


async def _written(segments: Sequence[str], voice: Voice, apart_s: float) -> AsyncIterator[tts_pb2.SynthesizeRequest]:
    yield voice.config
    for number, text in enumerate(segments, start=1):
        if apart_s and number > 1:
            await asyncio.sleep(apart_s)
        yield tts_pb2.SynthesizeRequest(text=tts_pb2.Text(segment=number, text=text))
        yield tts_pb2.SynthesizeRequest(flush=tts_pb2.Flush())
    yield tts_pb2.SynthesizeRequest(finish=tts_pb2.Finish())


@dataclass(frozen=True)
class Cancelled:
    """A reply cut off. Both in ms from the cancellation: the stream at its end, and the slot free again."""

    silent_ms: float
    slot_free_ms: float


async def cancel(stub: tts_pb2_grpc.TextToSpeechAsyncStub, segments: Sequence[str], voice: Voice = PLAIN) -> Cancelled:
    """Have segments spoken, cancel in mid-sound, and watch until the service has room again.

    Nobody else may be speaking. Raises TimeoutError when the slot does not become free, AioRpcError.
    """
    call: _Call = stub.Synthesize(_written(segments, voice, 0.0))
    heard = asyncio.Event()
    silent_at = 0.0

    async def listen() -> None:
        nonlocal silent_at
        try:
            async for message in call:
                if message.HasField("audio"):
                    heard.set()
        except asyncio.CancelledError:
            pass  # the call was cancelled, as it should be
        silent_at = time.perf_counter()  # what was under way has been read, and nothing comes after it

    listening = asyncio.create_task(listen())
    await heard.wait()
    cancelled_at = time.perf_counter()
    call.cancel()
    free = asyncio.create_task(_free(stub))
    await listening
    free_at = await free
    return Cancelled(1000 * (silent_at - cancelled_at), 1000 * (free_at - cancelled_at))


async def _free(stub: tts_pb2_grpc.TextToSpeechAsyncStub) -> float:
    async with asyncio.timeout(_FREE_BY_S):
        while (await stub.GetInfo(tts_pb2.GetInfoRequest())).in_use:
            pass
    return time.perf_counter()
