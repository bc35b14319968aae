"""One candidate reply through text to speech, taken up by another server when its own dies.

One RPC at a time; cancelling it is the barge-in. A server that dies in mid-reply is replaced from the segment that was
not complete: it is spoken again from its beginning, and what the caller is hearing of it already is left out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import grpc
import grpc.aio
from opentelemetry.context import Context
from opentelemetry.util.types import AttributeValue

from orchestrator.heard import SegmentText
from orchestrator.received_sound import ReceivedSound, UnusableSoundError
from orchestrator.rpc_status import true_status
from orchestrator.segments import SegmentQueue, Segments
from orchestrator.spoken import SpokenReply
from parley.audio.v1 import audio_pb2
from parley.tts.v1 import tts_pb2, tts_pb2_grpc
from servicekit.audio import bytes_per_sample
from servicekit.errors import reason_of
from servicekit.interceptors import ClientRpc, client_rpc
from servicekit.logs import get_logger
from servicekit.telemetry import Telemetry

__all__ = ["METHOD", "SegmentQueue", "Segments", "Synthesis", "SynthesisError", "VoiceOptions"]

log = get_logger(__name__)

_Call = grpc.aio.StreamStreamCall[tts_pb2.SynthesizeRequest, tts_pb2.SynthesizeResponse]

METHOD = "parley.tts.v1.TextToSpeech/Synthesize"
# One segment is being spoken while the next is already there; more would be work for nothing after a barge-in.
_SEGMENTS_IN_FLIGHT = 2
# The deadline is the server's own for a client that sends nothing, such as one whose brain pauses: we set none.
_WORTH_ANOTHER_TRY = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED}
)
# A text that kills every server it is given to must not take all of them down.
_MOST_DEATHS = 8
# Nobody speaks slower than this, at half speed and with numbers read out: a server that does has lost its way.
_LONGEST_MS = 5000.0
_LONGEST_MS_PER_CHARACTER = 400.0


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


@dataclass(slots=True)
class Synthesis:
    """Speaks segments into a `SpokenReply`, from the first segment on; opens no RPC before there is one."""

    stub: tts_pb2_grpc.TextToSpeechAsyncStub
    voice: VoiceOptions
    telemetry: Telemetry
    parent: Context
    ahead_ms: float
    attempts: int = 2
    """Tries in all before the first sound."""
    patience_s: float = 6.0
    """How long to look for a server that speaks the rest, once there was sound; what waits to be played bridges it."""
    retry_pause_s: float = 0.2
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    """Of the RPC's span."""
    keep: bool = False
    """Whether it is fixed wording, whose sound the service may keep for good."""
    on_first_audio: Callable[[], None] = lambda: None
    clock: Callable[[], float] = time.monotonic
    _sent: list[SegmentText] = field(default_factory=list)
    _done: int = 0
    _progress: asyncio.Event = field(default_factory=asyncio.Event)
    _ended: bool = False
    _held: SegmentText | None = None
    """The next segment, while there is no room for it."""
    _base: int = 0
    """Segments that earlier RPCs have spoken."""
    _skip: int = 0
    """Bytes of the first segment of this RPC that were received before."""
    _realign: bool = False
    """Whether the next alignment of that segment replaces what is known of it."""
    _pronounceable: bool = False
    """Whether some segment was complete that held something to say."""
    _progressed: bool = False
    """Whether sound has come since the last failure."""

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
        tries, deaths = 1, 0
        give_up_at: float | None = None
        while True:
            try:
                await self._attempt(segments, into)
            except SynthesisError as error:
                if error.code not in _WORTH_ANOTHER_TRY:
                    raise
                if not into.samples:
                    if tries >= self.attempts:
                        raise
                    tries += 1
                    log.warning("synthesis failed before the first sound, trying again", code=error.code.name)
                else:
                    now = self.clock()
                    if give_up_at is None or self._progressed:
                        give_up_at = now + self.patience_s
                        deaths += 1
                    if now >= give_up_at or deaths > _MOST_DEATHS:
                        raise
                    log.warning("synthesis interrupted, having the rest spoken again", code=error.code.name)
                    await asyncio.sleep(self.retry_pause_s)
                self._progressed = False
                self._take_up(into)
            else:
                return

    def _take_up(self, into: SpokenReply) -> None:
        """Begin again with the first segment that is not complete."""
        if not into.samples:
            self._done = 0
        self._base, self._skip, self._realign = self._done, 0, False
        if self._base < len(self._sent):
            self._skip = into.restart_segment(self._base) * bytes_per_sample(into.format)
            self._realign = True

    async def _attempt(self, segments: Segments, into: SpokenReply) -> None:
        if self._base == len(self._sent):
            # All that was sent has been spoken: a server is looked for when there is more to say.
            following = None if self._ended else self._held or await segments.next()
            self._held = None
            if following is None:
                self._ended = True
                return
            self._sent.append(following)
            into.begin_segment(following)
        with client_rpc(self.telemetry, METHOD, self.parent, self.attributes) as rpc:
            call = self.stub.Synthesize(metadata=rpc.metadata)
            writer = asyncio.create_task(self._write(call, segments, into))
            try:
                code = await self._read(call, rpc, into)
            except UnusableSoundError as error:
                raise SynthesisError(str(error), grpc.StatusCode.DATA_LOSS) from error
            finally:
                writer.cancel()
                if not call.done():
                    call.cancel()
                await asyncio.gather(writer, return_exceptions=True)
        if self._done == len(self._sent) and code in {grpc.StatusCode.OK, grpc.StatusCode.DEADLINE_EXCEEDED}:
            if self._pronounceable and not into.samples:
                raise SynthesisError("text to speech gave no sound", grpc.StatusCode.UNAVAILABLE)
            if self._ended:
                return
            # The brain has paused for longer than the server waits: nothing is lost.
            code = grpc.StatusCode.UNAVAILABLE
        bad = code if code is not grpc.StatusCode.OK else grpc.StatusCode.UNAVAILABLE
        raise SynthesisError(f"text to speech ended with {bad.name}", bad)

    async def _read(self, call: _Call, rpc: ClientRpc, into: SpokenReply) -> grpc.StatusCode:
        sound = ReceivedSound(into.format)
        try:
            while isinstance(response := await call.read(), tts_pb2.SynthesizeResponse):
                await self._take(response, sound, into)
            code = await call.code()
        except grpc.aio.AioRpcError as error:
            code = true_status(error)
            rpc.ended(code, reason_of(error))
            return code
        rpc.ended(code)
        return code

    async def _take(self, response: tts_pb2.SynthesizeResponse, sound: ReceivedSound, into: SpokenReply) -> None:
        kind = response.WhichOneof("message")
        if kind == "ready":
            sound.announced(response.ready.format)
        elif kind == "audio":
            await self._take_audio(response.audio, sound, into)
        elif kind == "alignment":
            index = self._index(response.alignment.segment)
            if index is not None:
                ranges = sound.ranges(response.alignment, self._sent[index])
                if self._realign and index == self._base:
                    self._realign = False
                    into.realign(index, ranges)
                else:
                    into.align(index, ranges)
        elif kind == "segment_done":
            index = self._index(response.segment_done.segment)
            if index is not None:
                if not response.segment_done.silent and self._sent[index].spoken.strip():
                    self._pronounceable = True
                into.segment_done(index)
                self._done = index + 1
                self._progress.set()

    async def _take_audio(self, audio: tts_pb2.Audio, sound: ReceivedSound, into: SpokenReply) -> None:
        index = self._index(audio.segment)
        if index is None or into.segments[index].done:
            return
        payload = sound.take(audio.segment, audio.payload)
        if index == self._base and self._skip:
            skipped = min(self._skip, len(payload))
            self._skip -= skipped
            payload = payload[skipped:]
        if not payload:
            return
        first = into.samples == 0
        into.add_audio(index, payload)
        self._progressed = True
        if first:
            self.on_first_audio()
        longest_ms = _LONGEST_MS + _LONGEST_MS_PER_CHARACTER * len(self._sent[index].spoken)
        if into.ms(into.segments[index].samples) > longest_ms:
            raise UnusableSoundError("text to speech does not stop speaking one segment")
        # Not reading is what holds a server back that is faster than the caller's ear.
        await into.room(2 * self.ahead_ms)

    def _index(self, segment: int) -> int | None:
        """Which segment of the reply the server means, from 0; None for one that it was not sent."""
        index = self._base + segment - 1
        return index if self._base <= index < len(self._sent) else None

    async def _write(self, call: _Call, segments: Segments, into: SpokenReply) -> None:
        config = tts_pb2.SynthesizeConfig(
            voice=self.voice.voice,
            language=self.voice.language,
            speed=self.voice.speed,
            format=self.voice.format,
            alignments=True,
            keep=self.keep,
        )
        try:
            await call.write(tts_pb2.SynthesizeRequest(config=config))
            number = self._base
            while True:
                if number == len(self._sent):
                    if self._ended:
                        break
                    # Kept where another attempt finds it, should this one be given up while it waits.
                    self._held = following = self._held or await segments.next()
                    if following is None:
                        self._ended = True
                        break
                    await self._turn_of(number, into)
                    self._held = None
                    self._sent.append(following)
                    into.begin_segment(following)
                number += 1
                text = tts_pb2.Text(segment=number - self._base, text=self._sent[number - 1].spoken)
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
