"""The contract `parley.tts.v1.TextToSpeech`: what is accepted, what is refused and how."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import grpc

from parley.tts.v1 import tts_pb2, tts_pb2_grpc
from servicekit import semconv
from servicekit.audio import describe
from servicekit.errors import Reason, abort
from servicekit.logs import get_logger
from servicekit.protocol import OrderError, SynthesizeOrder
from servicekit.server import GrpcServer, Lease, Slots
from servicekit.telemetry import Telemetry
from tts_service.delivery import FORMATS, ReplyDelivery, is_delivered
from tts_service.reply import ClientGoneError, IdleError, Reply
from tts_service.segments import TextTooLongError
from tts_service.settings import TtsSettings
from tts_service.speaking import Speaking
from tts_service.speech import EngineError
from tts_service.voices import Gender, LanguageUnsupportedError, Voice, VoiceUnknownError

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, Any]

CONTRACT = "parley.tts.v1"
SERVICE_NAME = "parley.tts.v1.TextToSpeech"
_SLOWEST, _FASTEST = 0.5, 2.0
_GENDERS: dict[Gender, tts_pb2.Gender.ValueType] = {
    "": tts_pb2.GENDER_UNSPECIFIED,
    "female": tts_pb2.GENDER_FEMALE,
    "male": tts_pb2.GENDER_MALE,
    "neutral": tts_pb2.GENDER_NEUTRAL,
}

_REFUSALS: tuple[tuple[type[Exception], grpc.StatusCode, str], ...] = (
    (TextTooLongError, grpc.StatusCode.INVALID_ARGUMENT, Reason.TEXT_TOO_LONG),
    (VoiceUnknownError, grpc.StatusCode.INVALID_ARGUMENT, Reason.VOICE_UNKNOWN),
    (LanguageUnsupportedError, grpc.StatusCode.INVALID_ARGUMENT, Reason.LANGUAGE_UNSUPPORTED),
    (IdleError, grpc.StatusCode.DEADLINE_EXCEEDED, Reason.IDLE),
    (EngineError, grpc.StatusCode.UNAVAILABLE, Reason.ENGINE_FAILED),
)

_REFUSED = tuple(kind for kind, _, _ in _REFUSALS)

_log = get_logger(__name__)


class TextToSpeech(tts_pb2_grpc.TextToSpeechServicer):
    """Serves one engine to as many replies at once as there are slots."""

    def __init__(
        self,
        speaking: Speaking,
        settings: TtsSettings,
        *,
        server: GrpcServer,
        slots: Slots,
        telemetry: Telemetry,
    ) -> None:
        """`server` admits each reply to one of the `slots`, or refuses it: full, or going down."""
        self._speaking = speaking
        self._engine = speaking.engine
        self._settings = settings
        self._slots = slots
        self._telemetry = telemetry
        self._server = server
        self._first_audio = telemetry.meter.create_histogram(
            semconv.METRIC_TTS_FIRST_AUDIO,
            unit="ms",
            description="First text received until the first audio is sent",
            explicit_bucket_boundaries_advisory=list(semconv.MS_BUCKETS),
        )
        slots.observe(telemetry)

    async def Synthesize(  # type: ignore[override]  # noqa: N802 - gRPC's name; the stubs know only generators
        self, request_iterator: AsyncIterator[tts_pb2.SynthesizeRequest], context: Context
    ) -> None:
        """Speak one reply; see the contract."""
        order = SynthesizeOrder()
        try:
            config = await self._config(order, request_iterator, context)
            voice = self._engine.voices.choose(config.voice, config.language)
            lease = await self._server.admit(self._slots, context)
            reply = self._reply(config, voice, lease)
            await reply.run(order, request_iterator, context.write)
        except OrderError as error:
            await abort(context, grpc.StatusCode.INVALID_ARGUMENT, error.reason, str(error))
        except ClientGoneError:
            await abort(context, grpc.StatusCode.CANCELLED, Reason.MESSAGE_ORDER, "the stream ended without `finish`")
        except _REFUSED as error:
            if isinstance(error, EngineError):
                # The error's own words and type; never the text that was spoken.
                cause = type(error.__cause__ or error).__name__
                _log.error("engine failed", engine=self._engine.info.name, error=str(error), cause=cause)
            code, reason = next((code, reason) for kind, code, reason in _REFUSALS if isinstance(error, kind))
            await abort(context, code, reason, str(error))

    async def GetInfo(  # noqa: N802 - gRPC's name
        self, request: tts_pb2.GetInfoRequest, context: Context
    ) -> tts_pb2.GetInfoResponse:
        """What this server is and can do."""
        info = self._engine.info
        return tts_pb2.GetInfoResponse(
            contract=CONTRACT,
            engine=info.name,
            engine_version=info.version,
            model=info.model,
            languages=self._engine.voices.languages,
            formats=FORMATS,
            capacity=self._slots.capacity,
            in_use=self._slots.in_use,
            alignments=info.alignments,
            preferred_segment_length=0,  # long segments are cut inside, at sentence and clause ends
            limitations=info.limitations,
            default_voice=self._engine.voices.default.name,
        )

    async def ListVoices(  # noqa: N802 - gRPC's name
        self, request: tts_pb2.ListVoicesRequest, context: Context
    ) -> tts_pb2.ListVoicesResponse:
        """The voices, those that speak the language best first; none for a language that nobody speaks."""
        return tts_pb2.ListVoicesResponse(
            voices=(
                tts_pb2.Voice(
                    name=voice.name,
                    languages=voice.tags,
                    display_name=voice.display_name,
                    gender=_GENDERS[voice.gender],
                    engine=voice.engine,
                )
                for voice in self._engine.voices.speaking(request.language)
            )
        )

    async def _config(
        self, order: SynthesizeOrder, requests: AsyncIterator[tts_pb2.SynthesizeRequest], context: Context
    ) -> tts_pb2.SynthesizeConfig:
        first = await anext(requests, None)
        if first is None:
            raise ClientGoneError
        order.client(first)
        config = first.config
        if not is_delivered(config.format):
            offered = ", ".join(describe(fmt) for fmt in FORMATS)
            await abort(
                context,
                grpc.StatusCode.INVALID_ARGUMENT,
                Reason.FORMAT_UNSUPPORTED,
                f"{describe(config.format)} is not delivered; ask for one of {offered}",
            )
        return config

    def _reply(self, config: tts_pb2.SynthesizeConfig, voice: Voice, lease: Lease) -> Reply:
        settings = self._settings
        return Reply(
            self._speaking,
            lease,
            ReplyDelivery(
                config.format,
                alignments=config.alignments and self._engine.info.alignments,
                message_ms=settings.message_ms,
                first_message_ms=settings.first_message_ms,
            ),
            ready=tts_pb2.Ready(format=config.format, voice=voice.name, engine=voice.engine or self._engine.info.name),
            voice=voice,
            language=config.language,
            speed=_speed(config.speed),
            keep=config.keep,
            idle_timeout_s=settings.idle_timeout_s,
            telemetry=self._telemetry,
            on_first_audio=self._first_audio.record,
        )


def _speed(wanted: float) -> float:
    """The rate to speak at: 0 and what is no number mean 1, the rest is kept within what the contract allows."""
    if not math.isfinite(wanted) or wanted <= 0:
        return 1.0
    return min(max(wanted, _SLOWEST), _FASTEST)
