"""Speech-to-text servers that break the contract, each in one thing.

What the kit must find of each stands beside it.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
import numpy as np
from google.protobuf.unknown_fields import UnknownFieldSet

from parley.audio.v1 import audio_pb2
from parley.stt.v1 import stt_pb2
from servicekit.audio import MULAW_8K, same_format
from servicekit.errors import Reason, abort
from servicekit.protocol import OrderError, RecognizeOrder
from servicekit.server import Lease, Slots
from tests.fakes.conformance_stt import INVALID, Context, FakeSpeechToText, Utterance

_MIB = 1 << 20
ALAW_8K = audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_ALAW, sample_rate_hz=8000, channels=1)


# ------------------------------------------------------------------------------------------- what it says of itself


class AnotherContract(FakeSpeechToText):
    reds = frozenset({"get-info"})

    async def GetInfo(self, request: stt_pb2.GetInfoRequest, context: Any) -> stt_pb2.GetInfoResponse:  # noqa: N802
        info = await super().GetInfo(request, context)
        info.contract = "parley.stt.v0"
        return info


class NeverHealthy(FakeSpeechToText):
    reds = frozenset({"health"})
    serving = False


class AnotherEngine(FakeSpeechToText):
    reds = frozenset({"plain-utterance"})

    async def say_ready(self, utterance: Utterance, context: Context) -> None:
        ready = stt_pb2.Ready(engine="another", partials=self.partials and utterance.config.partials)
        await context.write(stt_pb2.RecognizeResponse(ready=ready))


class PromisesPartials(FakeSpeechToText):
    reds = frozenset({"partials-as-promised"})

    async def hear(self, utterance: Utterance, payload: bytes, context: Context) -> None:
        utterance.partial_at = utterance.samples + _MIB
        await super().hear(utterance, payload, context)


class UnaskedPartials(FakeSpeechToText):
    reds = frozenset({"partials-as-promised"})

    def begin(self, config: stt_pb2.RecognizeConfig) -> Utterance:
        config.partials = True
        return Utterance(config)


class WordsBeyondTheAudio(FakeSpeechToText):
    reds = frozenset({"word-times-as-promised"})

    def final(self, utterance: Utterance, number: int) -> stt_pb2.Final:
        final = super().final(utterance, number)
        for word in final.words:
            word.end_sample += 8000
        return final


class TooConfident(FakeSpeechToText):
    reds = frozenset({"figures-make-sense"})

    def final(self, utterance: Utterance, number: int) -> stt_pb2.Final:
        final = super().final(utterance, number)
        final.confidence = 90.0
        return final


# --------------------------------------------------------------------------------------------------------- the order


class AssumesAConfig(FakeSpeechToText):
    reds = frozenset({"config-first"})

    async def first(self, order: RecognizeOrder, context: Context) -> stt_pb2.RecognizeConfig | None:
        request = await context.read()
        if request is grpc.aio.EOF:
            await self.gone_at_once(context)
        config = request.config if request.HasField("config") else stt_pb2.RecognizeConfig(format=MULAW_8K)
        order.client(stt_pb2.RecognizeRequest(config=config))
        return config


class TakesAnotherConfig(FakeSpeechToText):
    reds = frozenset({"config-twice"})

    def look(self, order: RecognizeOrder, request: stt_pb2.RecognizeRequest) -> str:
        return "" if request.HasField("config") else super().look(order, request)


class HearsAfterTheEnd(FakeSpeechToText):
    reds = frozenset({"audio-after-finish"})

    async def finish(self, utterance: Utterance, context: Context) -> None:
        late = await context.read()
        if late is not grpc.aio.EOF:
            utterance.hear(late.audio.payload)
        await super().finish(utterance, context)


class IgnoresTheEmpty(FakeSpeechToText):
    reds = frozenset({"empty-message"})

    def look(self, order: RecognizeOrder, request: stt_pb2.RecognizeRequest) -> str:
        return super().look(order, request) if request.WhichOneof("message") else ""


class ServesNobody(FakeSpeechToText):
    reds = frozenset({"nothing-at-all"})

    async def gone_at_once(self, context: Context) -> None:
        """End with OK."""


class NeedsNoFinish(FakeSpeechToText):
    reds = frozenset({"no-finish", "order-throughout"})

    async def gone(self, utterance: Utterance, context: Context) -> None:
        await self.finish(utterance, context)


class IgnoresWrongFinalizes(FakeSpeechToText):
    reds = frozenset({"finalize-ids-rise"})

    def look(self, order: RecognizeOrder, request: stt_pb2.RecognizeRequest) -> str:
        try:
            return super().look(order, request)
        except OrderError:
            if request.HasField("finalize"):
                return ""
            raise


class ReadyTwice(FakeSpeechToText):
    reds = frozenset({"order-throughout"})

    async def answer_finalize(self, utterance: Utterance, number: int, context: Context) -> None:
        await self.say_ready(utterance, context)
        await super().answer_finalize(utterance, number, context)


# ---------------------------------------------------------------------------------------------------- what it takes


class OffersWhatItRefuses(FakeSpeechToText):
    reds = frozenset({"every-format-offered-is-taken"})
    offered = (*FakeSpeechToText.formats, ALAW_8K)


class MishearsARate(FakeSpeechToText):
    """Takes 16 kHz for 8 kHz."""

    reds = frozenset({"every-format-offered-is-taken", "odd-chunk-sizes", "split-samples"})

    def final(self, utterance: Utterance, number: int) -> stt_pb2.Final:
        final = super().final(utterance, number)
        final.audio_end.FromNanoseconds(utterance.samples * 1_000_000_000 // 8000)
        return final


class TakesAnyFormat(FakeSpeechToText):
    reds = frozenset({"other-formats-are-refused"})

    async def first(self, order: RecognizeOrder, context: Context) -> stt_pb2.RecognizeConfig | None:
        config = await super().first(order, context)
        if config is not None and not any(same_format(config.format, fmt) for fmt in self.formats):
            config.format.CopyFrom(MULAW_8K)
        return config


class TakesAnyLanguage(FakeSpeechToText):
    reds = frozenset({"other-languages-are-refused"})

    async def first(self, order: RecognizeOrder, context: Context) -> stt_pb2.RecognizeConfig | None:
        config = await super().first(order, context)
        if config is not None:
            config.ClearField("languages")
        return config


class WantsWholeFrames(FakeSpeechToText):
    reds = frozenset({"odd-chunk-sizes"})

    async def hear(self, utterance: Utterance, payload: bytes, context: Context) -> None:
        if len(payload) == 1 and utterance.config.format.encoding == audio_pb2.ENCODING_MULAW:
            await abort(context, INVALID, Reason.MESSAGE_ORDER, "frames of 20 ms only")
        await super().hear(utterance, payload, context)


class CrashesOnHalfASample(FakeSpeechToText):
    reds = frozenset({"split-samples"})

    async def hear(self, utterance: Utterance, payload: bytes, context: Context) -> None:
        if utterance.config.format.encoding == audio_pb2.ENCODING_PCM_S16LE:
            np.frombuffer(payload, "<i2")
        await super().hear(utterance, payload, context)


class TakesSmallMessagesOnly(FakeSpeechToText):
    reds = frozenset({"a-mebibyte-in-one-message"})
    message_bytes = _MIB // 4


class TakesHugeMessages(FakeSpeechToText):
    reds = frozenset({"five-mebibytes-in-one-message"})
    message_bytes = 64 * _MIB

    async def hear(self, utterance: Utterance, payload: bytes, context: Context) -> None:
        if len(payload) < 5 * _MIB:
            await super().hear(utterance, payload, context)


class ListensForEver(FakeSpeechToText):
    reds = frozenset({"an-utterance-too-long"})

    async def GetInfo(self, request: stt_pb2.GetInfoRequest, context: Any) -> stt_pb2.GetInfoResponse:  # noqa: N802
        info = await super().GetInfo(request, context)
        info.max_utterance.FromSeconds(5)
        return info


class HallucinatesOnSilence(FakeSpeechToText):
    reds = frozenset({"silence-is-nothing"})

    def final(self, utterance: Utterance, number: int) -> stt_pb2.Final:
        final = super().final(utterance, number)
        if not utterance.loud and utterance.samples > utterance.rate_hz * 3 // 2:
            final.text = "Thank you for watching."
        return final


class HallucinatesOnNothing(FakeSpeechToText):
    reds = frozenset({"an-empty-utterance"})

    def final(self, utterance: Utterance, number: int) -> stt_pb2.Final:
        final = super().final(utterance, number)
        if not utterance.samples:
            final.text = "you"
        return final


class UnderstandsNothing(FakeSpeechToText):
    reds = frozenset({"speech-is-something"})
    limitations = ("It understands the demo's sentences only.",)

    async def hear(self, utterance: Utterance, payload: bytes, context: Context) -> None:
        await super().hear(utterance, bytes(len(payload)), context)
        utterance.loud = 0


# ------------------------------------------------------------------------------------------------ finals and partials


class DeafAfterFinalize(FakeSpeechToText):
    reds = frozenset({"audio-after-finalize"})

    async def hear(self, utterance: Utterance, payload: bytes, context: Context) -> None:
        if not utterance.finalizes:
            await super().hear(utterance, payload, context)


class TellsOnlyWhatIsNew(FakeSpeechToText):
    reds = frozenset({"texts-are-cumulative"})

    def final(self, utterance: Utterance, number: int) -> stt_pb2.Final:
        final = super().final(utterance, number)
        utterance.loud = 0
        return final


class LosesOvertakingFinalizes(FakeSpeechToText):
    reds = frozenset({"finalize-twice"})

    async def answer_finalize(self, utterance: Utterance, number: int, context: Context) -> None:
        if number == len(utterance.finalizes) + 1:
            await super().answer_finalize(utterance, number, context)


class KnowsTheFuture(FakeSpeechToText):
    reds = frozenset({"offsets-rise"})

    def partial(self, utterance: Utterance) -> stt_pb2.Partial:
        partial = super().partial(utterance)
        partial.audio_end.seconds += 5
        return partial


class TakesWordsBack(FakeSpeechToText):
    reds = frozenset({"stable-text-stays"})

    def partial(self, utterance: Utterance) -> stt_pb2.Partial:
        partial = super().partial(utterance)
        partial.stable_text = f"{utterance.samples} {partial.stable_text}"
        return partial


# ------------------------------------------------------------------------------------------- newer peers, surroundings


class FearsUnknownFields(FakeSpeechToText):
    reds = frozenset({"unknown-fields"})

    def begin(self, config: stt_pb2.RecognizeConfig) -> Utterance:
        assert not len(UnknownFieldSet(config))
        return super().begin(config)


class FearsUnknownEnums(FakeSpeechToText):
    reds = frozenset({"unknown-enums"})

    def begin(self, config: stt_pb2.RecognizeConfig) -> Utterance:
        stt_pb2.Profile.Name(config.profile)
        return super().begin(config)


class FearsMetadata(FakeSpeechToText):
    reds = frozenset({"trace-context"})

    async def first(self, order: RecognizeOrder, context: Context) -> stt_pb2.RecognizeConfig | None:
        if any(key == "tracestate" for key, _ in context.invocation_metadata() or ()):
            await abort(context, grpc.StatusCode.PERMISSION_DENIED, "", "what is this")
        return await super().first(order, context)


class IgnoresSigterm(FakeSpeechToText):
    reds = frozenset({"health-while-draining"})

    def drain(self) -> None:
        """Go on."""


class DropsTheLiveWhenDraining(FakeSpeechToText):
    reds = frozenset({"health-while-draining"})

    def drain(self) -> None:
        self.draining = asyncio.create_task(self.server.grpc.stop(0))


# --------------------------------------------------------------------------------------------------------- many at once


class LeaksCancelled(FakeSpeechToText):
    reds = frozenset({"cancel-frees-the-slot"})

    def __init__(self) -> None:
        super().__init__()
        self._left: set[Context] = set()

    async def serve(self, utterance: Utterance, order: RecognizeOrder, context: Context) -> None:
        try:
            await super().serve(utterance, order, context)
        except asyncio.CancelledError:
            self._left.add(context)
            raise

    async def gone(self, utterance: Utterance, context: Context) -> None:
        # A cancellation comes a moment after the end of the requests that it looks like.
        await asyncio.sleep(0.05)
        await super().gone(utterance, context)

    def give_back(self, lease: Lease, context: Context) -> None:
        if context not in self._left or context.time_remaining() is not None:
            lease.release()


class LeaksLate(FakeSpeechToText):
    reds = frozenset({"deadline-respected"})

    def give_back(self, lease: Lease, context: Context) -> None:
        if context.time_remaining() is None:
            lease.release()


class TakesOneTooMany(FakeSpeechToText):
    reds = frozenset({"capacity-is-exact"})

    def __init__(self) -> None:
        super().__init__()
        self.slots = Slots(self.capacity + 1)


class FullWithoutAReason(FakeSpeechToText):
    reds = frozenset({"capacity-is-exact"})

    async def admit(self, context: Context) -> Lease:
        await self.server.refuse_if_draining(context)
        lease = self.slots.take()
        if lease is None:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")
            raise AssertionError
        return lease


class MixesCallers(FakeSpeechToText):
    reds = frozenset({"two-interleaved-utterances"})
    _shared: Utterance | None = None

    def begin(self, config: stt_pb2.RecognizeConfig) -> Utterance:
        if self._shared is None or self.slots.in_use == 1:
            self._shared = Utterance(config)
        return self._shared


class OneSlowReaderStopsAll(FakeSpeechToText):
    reds = frozenset({"slow-reader"})

    def __init__(self) -> None:
        super().__init__()
        self._engine = asyncio.Lock()

    async def hear(self, utterance: Utterance, payload: bytes, context: Context) -> None:
        async with self._engine:
            await super().hear(utterance, payload, context)

    def partial(self, utterance: Utterance) -> stt_pb2.Partial:
        partial = super().partial(utterance)
        partial.unstable_text = "?" * 20_000
        return partial


class RefusesUnderAnotherName(FakeSpeechToText):
    """Its ErrorInfo is of another domain."""

    reds = frozenset({"config-first"})

    async def first(self, order: RecognizeOrder, context: Context) -> stt_pb2.RecognizeConfig | None:
        try:
            return await super().first(order, context)
        except OrderError:
            await _abort_as(context, "example.com")
            raise


async def _abort_as(context: Context, domain: str) -> None:
    from google.protobuf import any_pb2
    from google.rpc import error_details_pb2, status_pb2

    packed = any_pb2.Any()
    packed.Pack(error_details_pb2.ErrorInfo(reason=Reason.MESSAGE_ORDER, domain=domain))
    status = status_pb2.Status(code=INVALID.value[0], message="order", details=[packed])
    trailing = (("grpc-status-details-bin", status.SerializeToString()),)
    await context.abort(INVALID, "order", trailing_metadata=trailing)


BROKEN: tuple[type[FakeSpeechToText], ...] = tuple(kind for kind in FakeSpeechToText.__subclasses__() if kind.reds)
