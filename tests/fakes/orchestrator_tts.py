"""A text-to-speech server whose every character sounds equally long, so that a test knows which word lies where."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from google.protobuf.duration_pb2 import Duration

from parley.audio.v1 import audio_pb2
from parley.tts.v1 import tts_pb2, tts_pb2_grpc
from servicekit.errors import Reason, abort
from servicekit.protocol import SynthesizeOrder

MS_PER_CHARACTER = 50
BYTES_PER_MS = 8
"""μ-law at 8 kHz."""


@dataclass(slots=True)
class SpokenRpc:
    """One RPC as the server saw it."""

    texts: dict[int, str] = field(default_factory=dict)
    keep: bool = False
    finished: bool = False
    cancelled: bool = False
    ended: bool = False


SAMPLES_PER_CHARACTER = MS_PER_CHARACTER * BYTES_PER_MS


def sound_of(text: str) -> bytes:
    """What the fake says for a text: each character for itself, so that a test can read the sound."""
    return b"".join(bytes([ord(character) & 0xFF]) * SAMPLES_PER_CHARACTER for character in text)


def text_in(sound: bytes) -> str:
    """The text that a fake's sound says."""
    return sound[::SAMPLES_PER_CHARACTER].decode("latin-1")


class FakeTts(tts_pb2_grpc.TextToSpeechServicer):
    """Speaks μ-law: `MS_PER_CHARACTER` of its own byte for each character, words aligned.

    While ``may_speak`` is not set, RPCs wait before their next segment; ``fail`` refuses every RPC as unavailable. Each
    RPC takes one from ``dies_after``, if there is one, and dies after so many bytes of sound; ``payloads`` makes
    something else of a segment's sound, and ``answers_in`` claims another format.
    """

    def __init__(self) -> None:
        self.dies_after: list[int] = []
        self.payloads: Callable[[bytes], Sequence[bytes]] = lambda sound: (sound,)
        self.answers_in: audio_pb2.AudioFormat | None = None
        self.aligns = True
        self.aligns_first = False
        """Whether a segment's words are aligned before its sound comes, as they are where it will be cut."""
        self._ended = asyncio.Condition()
        self.ends_early: list[grpc.StatusCode] = []
        """Status with which the next RPCs end behind their first whole segment."""
        self.rpcs: list[SpokenRpc] = []
        self.fail = False
        self.live = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self.may_speak = asyncio.Event()
        self.may_speak.set()

    async def Synthesize(  # type: ignore[override]  # noqa: N802 - it reads and writes through its context
        self, _: Any, context: grpc.aio.ServicerContext[Any, Any]
    ) -> None:
        """See the contract."""
        rpc = SpokenRpc()
        self.rpcs.append(rpc)
        self.live += 1
        self.idle.clear()
        try:
            if self.fail:
                await abort(context, grpc.StatusCode.UNAVAILABLE, Reason.ENGINE_FAILED, "the engine died")
            await self._synthesize(rpc, context)
        finally:
            rpc.cancelled = not rpc.finished
            rpc.ended = True
            self.live -= 1
            async with self._ended:
                self._ended.notify_all()
            if not self.live:
                self.idle.set()

    async def until_rpcs_ended(self, number: int) -> None:
        """Wait until so many RPCs have ended."""
        async with self._ended:
            await self._ended.wait_for(lambda: sum(rpc.ended for rpc in self.rpcs) >= number)

    async def GetInfo(  # noqa: N802 - the contract's name
        self, request: tts_pb2.GetInfoRequest, context: Any
    ) -> tts_pb2.GetInfoResponse:
        """Say that it is a fake."""
        return tts_pb2.GetInfoResponse(engine="fake")

    async def ListVoices(  # noqa: N802 - the contract's name
        self, request: tts_pb2.ListVoicesRequest, context: Any
    ) -> tts_pb2.ListVoicesResponse:
        """It has one voice, without a name."""
        return tts_pb2.ListVoicesResponse()

    async def _synthesize(self, rpc: SpokenRpc, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        order = SynthesizeOrder()
        spoken, seq, total_ms = 0, 0, 0
        left = self.dies_after.pop(0) if self.dies_after else None
        early = self.ends_early.pop(0) if self.ends_early else None
        while (request := await context.read()) is not grpc.aio.EOF:
            kind = order.client(request)
            if kind == "config":
                rpc.keep = request.config.keep
                fmt = self.answers_in or request.config.format
                ready = tts_pb2.Ready(format=fmt, voice="fake", engine="fake")
                await context.write(tts_pb2.SynthesizeResponse(ready=ready))
            elif kind == "text":
                rpc.texts[request.text.segment] = rpc.texts.get(request.text.segment, "") + request.text.text
            if kind in {"flush", "finish"}:
                for segment in sorted(rpc.texts):
                    if segment <= spoken:
                        continue
                    await self.may_speak.wait()
                    spoken = segment
                    total_ms += len(rpc.texts[segment]) * MS_PER_CHARACTER
                    seq, left = await self._speak(segment, seq, rpc.texts[segment], context, left)
                    if early is not None:
                        await abort(context, early, Reason.IDLE, "as the test wants it")
            if kind == "finish":
                duration = Duration()
                duration.FromMilliseconds(total_ms)
                rpc.finished = True
                await context.write(tts_pb2.SynthesizeResponse(finished=tts_pb2.Finished(duration=duration)))
                return
        await context.abort(grpc.StatusCode.CANCELLED, "the client went away")

    async def _speak(
        self, segment: int, seq: int, text: str, context: grpc.aio.ServicerContext[Any, Any], left: int | None
    ) -> tuple[int, int | None]:
        samples = SAMPLES_PER_CHARACTER
        ranges = [
            tts_pb2.AlignedRange(
                text_start=word.start(),
                text_end=word.end(),
                start_sample=word.start() * samples,
                end_sample=word.end() * samples,
            )
            for word in re.finditer(r"\S+", text)
        ]
        first = self.aligns_first or left is not None
        if first and self.aligns:
            # A test that cuts the sound wants to know what was heard of it.
            await context.write(tts_pb2.SynthesizeResponse(alignment=tts_pb2.Alignment(segment=segment, ranges=ranges)))
        for payload in self.payloads(sound_of(text)):
            seq += 1
            sent = payload if left is None else payload[:left]
            audio = tts_pb2.Audio(segment=segment, seq=seq, payload=sent)
            await context.write(tts_pb2.SynthesizeResponse(audio=audio))
            if left is not None:
                left -= len(sent)
                if left <= 0:
                    await abort(context, grpc.StatusCode.UNAVAILABLE, Reason.ENGINE_FAILED, "the engine died")
        if not first and self.aligns:
            await context.write(tts_pb2.SynthesizeResponse(alignment=tts_pb2.Alignment(segment=segment, ranges=ranges)))
        done = tts_pb2.SegmentDone(segment=segment, samples=len(text) * samples)
        await context.write(tts_pb2.SynthesizeResponse(segment_done=done))
        return seq, left
