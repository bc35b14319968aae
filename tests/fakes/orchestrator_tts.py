"""A text-to-speech server whose every character sounds equally long, so that a test knows which word lies where."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from google.protobuf.duration_pb2 import Duration

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
    finished: bool = False
    cancelled: bool = False


class FakeTts(tts_pb2_grpc.TextToSpeechServicer):
    """Speaks μ-law: `MS_PER_CHARACTER` of a constant byte for each character, words aligned.

    While ``hold`` is set, RPCs wait before their second segment; ``fail`` refuses every RPC as unavailable.
    """

    def __init__(self) -> None:
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
            self.live -= 1
            if not self.live:
                self.idle.set()

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
        while (request := await context.read()) is not grpc.aio.EOF:
            kind = order.client(request)
            if kind == "config":
                ready = tts_pb2.Ready(format=request.config.format, voice="fake", engine="fake")
                await context.write(tts_pb2.SynthesizeResponse(ready=ready))
            elif kind == "text":
                rpc.texts[request.text.segment] = rpc.texts.get(request.text.segment, "") + request.text.text
            if kind in {"flush", "finish"}:
                for segment in sorted(rpc.texts):
                    if segment <= spoken:
                        continue
                    await self.may_speak.wait()
                    spoken = segment
                    seq += 1
                    total_ms += len(rpc.texts[segment]) * MS_PER_CHARACTER
                    await self._speak(segment, seq, rpc.texts[segment], context)
            if kind == "finish":
                duration = Duration()
                duration.FromMilliseconds(total_ms)
                rpc.finished = True
                await context.write(tts_pb2.SynthesizeResponse(finished=tts_pb2.Finished(duration=duration)))
                return
        await context.abort(grpc.StatusCode.CANCELLED, "the client went away")

    async def _speak(self, segment: int, seq: int, text: str, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        samples = MS_PER_CHARACTER * BYTES_PER_MS
        ranges = [
            tts_pb2.AlignedRange(
                text_start=word.start(),
                text_end=word.end(),
                start_sample=word.start() * samples,
                end_sample=word.end() * samples,
            )
            for word in re.finditer(r"\S+", text)
        ]
        audio = tts_pb2.Audio(segment=segment, seq=seq, payload=b"\x30" * (len(text) * samples))
        await context.write(tts_pb2.SynthesizeResponse(audio=audio))
        await context.write(tts_pb2.SynthesizeResponse(alignment=tts_pb2.Alignment(segment=segment, ranges=ranges)))
        done = tts_pb2.SegmentDone(segment=segment, samples=len(text) * samples)
        await context.write(tts_pb2.SynthesizeResponse(segment_done=done))
