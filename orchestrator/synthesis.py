"""One candidate reply through text to speech: one RPC; cancelling it is the barge-in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import grpc
import grpc.aio
from opentelemetry.context import Context
from opentelemetry.util.types import AttributeValue

from orchestrator.heard import Range, SegmentText
from orchestrator.rpc_status import true_status
from orchestrator.spoken import SpokenReply
from parley.audio.v1 import audio_pb2
from parley.tts.v1 import tts_pb2, tts_pb2_grpc
from servicekit.errors import reason_of
from servicekit.interceptors import ClientRpc, client_rpc
from servicekit.logs import get_logger
from servicekit.telemetry import Telemetry

log = get_logger(__name__)

_Call = grpc.aio.StreamStreamCall[tts_pb2.SynthesizeRequest, tts_pb2.SynthesizeResponse]

METHOD = "parley.tts.v1.TextToSpeech/Synthesize"
# One segment is being spoken while the next is already there; more would be work for nothing after a barge-in.
_SEGMENTS_IN_FLIGHT = 2


class SynthesisError(Exception):
    """Synthesis ended before the reply was complete; ``code`` is the status, the message is for an operator."""

    def __init__(self, message: str, code: grpc.StatusCode) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class VoiceOptions:
    """How a call's replies are spoken; with a text it identifies a rendering."""

    target: str
    voice: str
    language: str
    speed: float
    encoding: audio_pb2.Encoding.ValueType
    rate_hz: int

    @property
    def format(self) -> audio_pb2.AudioFormat:
        """The format asked for, mono."""
        return audio_pb2.AudioFormat(encoding=self.encoding, sample_rate_hz=self.rate_hz, channels=1)


class Segments(Protocol):
    """Where segments come from."""

    async def next(self) -> SegmentText | None:
        """The next segment, waiting for it; None after the last."""


@dataclass(slots=True)
class SegmentQueue:
    """Segments of a reply that is still being written; bounded by the length of a reply."""

    _queue: asyncio.Queue[SegmentText | None] = field(default_factory=asyncio.Queue)

    def put(self, segment: SegmentText) -> None:
        """Append a segment."""
        self._queue.put_nowait(segment)

    def close(self) -> None:
        """No more will come."""
        self._queue.put_nowait(None)

    async def next(self) -> SegmentText | None:
        """The next segment, waiting for it; None after the last."""
        return await self._queue.get()


@dataclass(slots=True)
class Synthesis:
    """Speaks segments into a `SpokenReply`, from the first segment on; opens no RPC before there is one."""

    stub: tts_pb2_grpc.TextToSpeechAsyncStub
    voice: VoiceOptions
    telemetry: Telemetry
    parent: Context
    ahead_ms: float
    attempts: int = 2
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    """Of the RPC's span."""
    on_first_audio: Callable[[], None] = lambda: None
    _sent: list[SegmentText] = field(default_factory=list)
    _done: int = 0
    _progress: asyncio.Event = field(default_factory=asyncio.Event)
    _ended: bool = False

    async def run(self, segments: Segments, into: SpokenReply) -> None:
        """Speak until the segments end. Cancelling it cancels the RPC at once.

        Raises:
            SynthesisError: it ended early; sound that came before stands.
        """
        first = await segments.next()
        if first is None:
            return
        self._sent.append(first)
        into.begin_segment(first)
        for attempt in range(1, self.attempts + 1):
            try:
                await self._attempt(segments, into)
            except SynthesisError as error:
                retry = error.code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}
                if into.samples or not retry or attempt == self.attempts:
                    raise
                log.warning("synthesis failed before the first sound, trying again", code=error.code.name)
                self._done = 0
            else:
                return

    async def _attempt(self, segments: Segments, into: SpokenReply) -> None:
        with client_rpc(self.telemetry, METHOD, self.parent, self.attributes) as rpc:
            call = self.stub.Synthesize(metadata=rpc.metadata)
            writer = asyncio.create_task(self._write(call, segments, into))
            try:
                code = await self._read(call, rpc, into)
            finally:
                writer.cancel()
                if not call.done():
                    call.cancel()
                await asyncio.gather(writer, return_exceptions=True)
            if code is not grpc.StatusCode.OK or self._done < len(self._sent):
                bad = code if code is not grpc.StatusCode.OK else grpc.StatusCode.UNAVAILABLE
                raise SynthesisError(f"text to speech ended with {bad.name}", bad)

    async def _read(self, call: _Call, rpc: ClientRpc, into: SpokenReply) -> grpc.StatusCode:
        try:
            while isinstance(response := await call.read(), tts_pb2.SynthesizeResponse):
                await self._take(response, into)
            code = await call.code()
        except grpc.aio.AioRpcError as error:
            code = true_status(error)
            rpc.ended(code, reason_of(error))
            return code
        rpc.ended(code)
        return code

    async def _take(self, response: tts_pb2.SynthesizeResponse, into: SpokenReply) -> None:
        kind = response.WhichOneof("message")
        if kind == "audio":
            index = response.audio.segment - 1
            if not 0 <= index < len(self._sent) or not response.audio.payload:
                return
            first = into.samples == 0
            into.add_audio(index, response.audio.payload)
            if first:
                self.on_first_audio()
            # Not reading is what holds a server back that is faster than the caller's ear.
            await into.room(2 * self.ahead_ms)
        elif kind == "alignment":
            index = response.alignment.segment - 1
            if 0 <= index < len(self._sent):
                into.align(
                    index,
                    [Range(r.text_start, r.text_end, r.start_sample, r.end_sample) for r in response.alignment.ranges],
                )
        elif kind == "segment_done":
            index = response.segment_done.segment - 1
            if 0 <= index < len(self._sent):
                into.segment_done(index)
                self._done = index + 1
                self._progress.set()

    async def _write(self, call: _Call, segments: Segments, into: SpokenReply) -> None:
        config = tts_pb2.SynthesizeConfig(
            voice=self.voice.voice,
            language=self.voice.language,
            speed=self.voice.speed,
            format=self.voice.format,
            alignments=True,
        )
        try:
            await call.write(tts_pb2.SynthesizeRequest(config=config))
            number = 0
            while True:
                if number == len(self._sent):
                    if self._ended:
                        break
                    following = await segments.next()
                    if following is None:
                        self._ended = True
                        break
                    await self._turn_of(number, into)
                    self._sent.append(following)
                    into.begin_segment(following)
                number += 1
                text = tts_pb2.Text(segment=number, text=self._sent[number - 1].spoken)
                await call.write(tts_pb2.SynthesizeRequest(text=text))
                # Nothing will be added to it: let it be spoken now.
                await call.write(tts_pb2.SynthesizeRequest(flush=tts_pb2.Flush()))
            await call.write(tts_pb2.SynthesizeRequest(finish=tts_pb2.Finish()))
            await call.done_writing()
        except (asyncio.InvalidStateError, grpc.aio.AioRpcError):
            # The RPC is over; its status tells the reader why.
            return

    async def _turn_of(self, sent: int, into: SpokenReply) -> None:
        """Wait until so many segments being sent leaves room for one more."""
        while sent - self._done >= _SEGMENTS_IN_FLIGHT:
            self._progress.clear()
            await self._progress.wait()
        await into.room(self.ahead_ms)
