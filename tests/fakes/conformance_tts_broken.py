"""Text-to-speech servers that break the contract, each in one thing.

What the kit must find of each stands beside it.
"""

from __future__ import annotations

import asyncio
import unicodedata
from typing import Any

import grpc
import grpc.aio
from google.protobuf.unknown_fields import UnknownFieldSet

from parley.audio.v1 import audio_pb2
from parley.tts.v1 import tts_pb2
from servicekit.audio import MULAW_8K, pcm, same_format
from servicekit.errors import Reason, abort
from servicekit.protocol import OrderError, SynthesizeOrder
from servicekit.server import Lease, Slots
from tests.fakes.conformance_tts import INVALID, Context, FakeTextToSpeech, Reply, Response

LONGEST = 10_000
_MIB = 1 << 20
ALAW_8K = audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_ALAW, sample_rate_hz=8000, channels=1)


# ------------------------------------------------------------------------------------------- what it says of itself


class AnotherContract(FakeTextToSpeech):
    reds = frozenset({"get-info"})

    async def GetInfo(self, request: tts_pb2.GetInfoRequest, context: Any) -> tts_pb2.GetInfoResponse:  # noqa: N802
        info = await super().GetInfo(request, context)
        info.contract = "parley.tts.v0"
        return info


class NeverHealthy(FakeTextToSpeech):
    reds = frozenset({"health"})
    serving = False


class AnotherFormatThanAsked(FakeTextToSpeech):
    reds = frozenset({"plain-reply"})

    def ready(self, reply: Reply) -> tts_pb2.Ready:
        ready = super().ready(reply)
        ready.format.CopyFrom(pcm(24_000))
        return ready


class HidesItsDefault(FakeTextToSpeech):
    reds = frozenset({"voices-are-listed"})

    async def GetInfo(self, request: tts_pb2.GetInfoRequest, context: Any) -> tts_pb2.GetInfoResponse:  # noqa: N802
        info = await super().GetInfo(request, context)
        info.default_voice = "clara"
        return info


class AnotherVoiceThanAsked(FakeTextToSpeech):
    reds = frozenset({"listed-voices-speak"})

    def ready(self, reply: Reply) -> tts_pb2.Ready:
        ready = super().ready(reply)
        ready.voice = self.default_voice
        return ready


# --------------------------------------------------------------------------------------------------------- the order


class AssumesAConfig(FakeTextToSpeech):
    reds = frozenset({"config-first"})

    async def first(self, order: SynthesizeOrder, context: Context) -> tts_pb2.SynthesizeConfig | None:
        request = await context.read()
        if request is grpc.aio.EOF:
            await self.gone_at_once(context)
        config = request.config if request.HasField("config") else tts_pb2.SynthesizeConfig(format=MULAW_8K)
        order.client(tts_pb2.SynthesizeRequest(config=config))
        return config


class TakesAnotherConfig(FakeTextToSpeech):
    reds = frozenset({"config-twice"})

    def look(self, order: SynthesizeOrder, request: tts_pb2.SynthesizeRequest) -> str:
        return "" if request.HasField("config") else super().look(order, request)


class SpeaksAfterTheEnd(FakeTextToSpeech):
    # The late segment was never sent in order, as far as the kit's own look at the order goes.
    reds = frozenset({"text-after-finish", "order-throughout"})

    async def finish(self, reply: Reply, context: Context) -> None:
        late = await context.read()
        if late is not grpc.aio.EOF:
            await self.add(reply, late.text, context)
        await super().finish(reply, context)


class IgnoresTheEmpty(FakeTextToSpeech):
    reds = frozenset({"empty-message"})

    def look(self, order: SynthesizeOrder, request: tts_pb2.SynthesizeRequest) -> str:
        return super().look(order, request) if request.WhichOneof("message") else ""


class ServesNobody(FakeTextToSpeech):
    reds = frozenset({"nothing-at-all"})

    async def gone_at_once(self, context: Context) -> None:
        """End with OK."""


class NeedsNoFinish(FakeTextToSpeech):
    reds = frozenset({"no-finish", "order-throughout"})

    async def gone(self, reply: Reply, context: Context) -> None:
        await self.finish(reply, context)


class AnyNumberWillDo(FakeTextToSpeech):
    reds = frozenset({"segments-rise"})

    def look(self, order: SynthesizeOrder, request: tts_pb2.SynthesizeRequest) -> str:
        try:
            return super().look(order, request)
        except OrderError:
            if request.HasField("text") and request.text.segment == 0:
                return ""
            raise


class ReopensTheFlushed(FakeTextToSpeech):
    reds = frozenset({"a-flushed-segment-is-closed"})

    def look(self, order: SynthesizeOrder, request: tts_pb2.SynthesizeRequest) -> str:
        try:
            return super().look(order, request)
        except OrderError as error:
            if "flush had closed" in str(error):
                return ""
            raise


class CountsFromZero(FakeTextToSpeech):
    reds = frozenset({"order-throughout"})

    async def sound(self, reply: Reply, segment: int, samples: int, context: Context) -> None:
        reply.seq -= not reply.seq
        await super().sound(reply, segment, samples, context)


# ------------------------------------------------------------------------------------------------- what is to be had


class OffersWhatItRefuses(FakeTextToSpeech):
    reds = frozenset({"every-format-offered-is-delivered"})
    offered = (*FakeTextToSpeech.formats, ALAW_8K)


class AlwaysEightKilohertz(FakeTextToSpeech):
    """Sends 8 kHz under the name of 16 kHz."""

    reds = frozenset({"every-format-offered-is-delivered"})

    def length(self, reply: Reply, text: str) -> int:
        return self.letters(text) * 8000 // 20


class TakesAnyFormat(FakeTextToSpeech):
    reds = frozenset({"other-formats-are-refused"})

    async def first(self, order: SynthesizeOrder, context: Context) -> tts_pb2.SynthesizeConfig | None:
        config = await super().first(order, context)
        if config is not None and not any(same_format(config.format, fmt) for fmt in self.formats):
            config.format.CopyFrom(MULAW_8K)
        return config


class AnyVoiceWillDo(FakeTextToSpeech):
    reds = frozenset({"other-voices-are-refused"})

    async def check_voice(self, voice: str, language: str, context: Context) -> None:
        await super().check_voice("", language, context)


class AnyLanguageWillDo(FakeTextToSpeech):
    reds = frozenset({"other-languages-are-refused"})

    async def check_voice(self, voice: str, language: str, context: Context) -> None:
        await super().check_voice(voice, "", context)


# ---------------------------------------------------------------------------------------------------------- segments


class SkipsASegment(FakeTextToSpeech):
    reds = frozenset({"segments-in-order"})

    async def speak(self, reply: Reply, segment: int, text: str, context: Context) -> None:
        if segment != 3 or "shop" not in text:
            await super().speak(reply, segment, text, context)


class WaitsForTheEnd(FakeTextToSpeech):
    """Speaks nothing before `finish` or a flush."""

    reds = frozenset({"a-higher-segment-completes"})

    def begin(self, config: tts_pb2.SynthesizeConfig) -> Reply:
        reply = super().begin(config)
        self._kept: dict[int, list[tuple[int, str]]] = getattr(self, "_kept", {})
        self._kept[id(reply)] = []
        return reply

    async def higher(self, reply: Reply, context: Context) -> None:
        if reply.open:
            self._kept[id(reply)].append((reply.segment, reply.text))
        reply.text, reply.open = "", False

    async def complete(self, reply: Reply, context: Context) -> None:
        kept, self._kept[id(reply)] = self._kept[id(reply)], []
        for segment, text in kept:
            await self.speak(reply, segment, text, context)
        await super().complete(reply, context)


class IgnoresFlush(FakeTextToSpeech):
    reds = frozenset({"flush-speaks"})

    async def flush(self, reply: Reply, context: Context) -> None:
        """Wait for more."""


class MiscountsASegment(FakeTextToSpeech):
    reds = frozenset({"segments-as-long-as-they-say"})

    async def speak(self, reply: Reply, segment: int, text: str, context: Context) -> None:
        samples = self.length(reply, text)
        await self.sound(reply, segment, samples, context)
        if reply.config.alignments and samples:
            alignment = tts_pb2.Alignment(segment=segment, ranges=self.ranges(text, samples))
            await context.write(Response(alignment=alignment))
        done = tts_pb2.SegmentDone(segment=segment, samples=samples * 3 // 2, silent=samples == 0)
        await context.write(Response(segment_done=done))


class MiscountsTheReply(FakeTextToSpeech):
    reds = frozenset({"duration-equals-bytes"})

    def finished(self, reply: Reply) -> Response:
        response = super().finished(reply)
        if reply.samples:
            response.finished.duration.FromMilliseconds(1000)
        return response


class ForgetsEmptySegments(FakeTextToSpeech):
    reds = frozenset({"empty-text"})

    async def speak(self, reply: Reply, segment: int, text: str, context: Context) -> None:
        if text:
            await super().speak(reply, segment, text, context)


class ReadsMarksAloud(FakeTextToSpeech):
    reds = frozenset({"nothing-to-pronounce"})

    def letters(self, text: str) -> int:
        return super().letters(text) or 10 * text.count("…")


class NothingIsSilent(FakeTextToSpeech):
    reds = frozenset({"silence-is-marked"})

    async def speak(self, reply: Reply, segment: int, text: str, context: Context) -> None:
        if self.letters(text):
            await super().speak(reply, segment, text, context)
        else:
            await context.write(Response(segment_done=tts_pb2.SegmentDone(segment=segment)))


class AlwaysSaysSomething(FakeTextToSpeech):
    reds = frozenset({"no-text"})

    def finished(self, reply: Reply) -> Response:
        response = super().finished(reply)
        if not reply.samples:
            response.finished.duration.FromMilliseconds(20)
        return response


# -------------------------------------------------------------------------------------------------------- alignments


class PromisesAlignments(FakeTextToSpeech):
    reds = frozenset({"alignments-as-promised"})

    def begin(self, config: tts_pb2.SynthesizeConfig) -> Reply:
        config.alignments = False
        return super().begin(config)


class AlignsBackwards(FakeTextToSpeech):
    reds = frozenset({"alignments-rise"})

    def ranges(self, text: str, samples: int) -> list[tts_pb2.AlignedRange]:
        return super().ranges(text, samples)[::-1]


class AlignsInBytes(FakeTextToSpeech):
    """Counts the text in UTF-8, as a server might whose language does."""

    reds = frozenset({"alignments-lie-within"})

    def ranges(self, text: str, samples: int) -> list[tts_pb2.AlignedRange]:
        found = super().ranges(text, samples)
        for one in found:
            one.text_start = len(text[: one.text_start].encode())
            one.text_end = len(text[: one.text_end].encode())
        return found


# -------------------------------------------------------------------------------------------------------------- text


class GivesUpOnLongTexts(FakeTextToSpeech):
    reds = frozenset({"ten-thousand-characters", "slow-reader"})

    async def speak(self, reply: Reply, segment: int, text: str, context: Context) -> None:
        if len(text) > 5000:
            await abort(context, INVALID, Reason.TEXT_TOO_LONG, "too long for me")
        await super().speak(reply, segment, text, context)


class TakesAnyLength(FakeTextToSpeech):
    reds = frozenset({"a-text-too-long"})

    async def add(self, reply: Reply, text: tts_pb2.Text, context: Context) -> None:
        if len(reply.text) + len(text.text) <= LONGEST:
            await super().add(reply, text, context)


class TakesHugeMessages(FakeTextToSpeech):
    reds = frozenset({"five-mebibytes-in-one-message"})
    message_bytes = 64 * _MIB


class SpeaksEveryMessageApart(FakeTextToSpeech):
    """Each message is pronounced on its own, with the pause that ends a sentence."""

    reds = frozenset({"one-character-at-a-time", "two-interleaved-replies"})

    def length(self, reply: Reply, text: str) -> int:
        return super().length(reply, text) + (reply.messages - 1) * reply.rate_hz // 5


class ReadsFromTheLeftOnly(FakeTextToSpeech):
    reds = frozenset({"unicode"})

    async def add(self, reply: Reply, text: tts_pb2.Text, context: Context) -> None:
        assert not {"R", "AL"} & {unicodedata.bidirectional(char) for char in text.text}
        await super().add(reply, text, context)


class DiesOfNul(FakeTextToSpeech):
    reds = frozenset({"control-characters"})

    async def add(self, reply: Reply, text: tts_pb2.Text, context: Context) -> None:
        assert "\x00" not in text.text
        await super().add(reply, text, context)


# ------------------------------------------------------------------------------------------- newer peers, surroundings


class FearsUnknownFields(FakeTextToSpeech):
    reds = frozenset({"unknown-fields"})

    def begin(self, config: tts_pb2.SynthesizeConfig) -> Reply:
        assert not len(UnknownFieldSet(config))
        return super().begin(config)


class FearsMetadata(FakeTextToSpeech):
    reds = frozenset({"trace-context"})

    async def first(self, order: SynthesizeOrder, context: Context) -> tts_pb2.SynthesizeConfig | None:
        if any(key == "tracestate" for key, _ in context.invocation_metadata() or ()):
            await abort(context, grpc.StatusCode.PERMISSION_DENIED, "", "what is this")
        return await super().first(order, context)


class IgnoresSigterm(FakeTextToSpeech):
    reds = frozenset({"health-while-draining"})

    def drain(self) -> None:
        """Go on."""


class DropsTheLiveWhenDraining(FakeTextToSpeech):
    reds = frozenset({"health-while-draining"})

    def drain(self) -> None:
        self.draining = asyncio.create_task(self.server.grpc.stop(0))


# --------------------------------------------------------------------------------------------------------- many at once


class SpeaksOnAfterTheCancel(FakeTextToSpeech):
    """Its engine cannot be stopped in a long segment: it holds its slot until the sound is made."""

    reds = frozenset({"cancel-frees-the-slot"})

    def __init__(self) -> None:
        super().__init__()
        self._speaking: set[Context] = set()
        self._running: set[asyncio.Task[None]] = set()

    async def sound(self, reply: Reply, segment: int, samples: int, context: Context) -> None:
        if samples > 20 * reply.rate_hz:
            self._speaking.add(context)
        await super().sound(reply, segment, samples, context)

    def give_back(self, lease: Lease, context: Context) -> None:
        async def later() -> None:
            await asyncio.sleep(30)
            lease.release()

        if context in self._speaking:
            task = asyncio.create_task(later())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        else:
            lease.release()


class LeaksLate(FakeTextToSpeech):
    reds = frozenset({"deadline-respected"})

    def give_back(self, lease: Lease, context: Context) -> None:
        if context.time_remaining() is None:
            lease.release()


class TakesOneTooMany(FakeTextToSpeech):
    reds = frozenset({"capacity-is-exact"})

    def __init__(self) -> None:
        super().__init__()
        self.slots = Slots(self.capacity + 1)


class MixesReplies(FakeTextToSpeech):
    reds = frozenset({"two-interleaved-replies"})
    _shared = ""

    async def add(self, reply: Reply, text: tts_pb2.Text, context: Context) -> None:
        if self.slots.in_use == 2:
            text.text += text.text
        await super().add(reply, text, context)


class MakesItAllAtOnce(FakeTextToSpeech):
    """Puts the whole reply into memory and counts it as done, whoever reads it when."""

    reds = frozenset({"slow-reader"})

    def __init__(self) -> None:
        super().__init__()
        self._leases: dict[Context, Lease] = {}

    async def admit(self, context: Context) -> Lease:
        lease = self._leases[context] = await super().admit(context)
        return lease

    async def sound(self, reply: Reply, segment: int, samples: int, context: Context) -> None:
        if samples > 1_000_000:
            self._leases[context].release()
        await super().sound(reply, segment, samples, context)


BROKEN: tuple[type[FakeTextToSpeech], ...] = tuple(kind for kind in FakeTextToSpeech.__subclasses__() if kind.reds)
