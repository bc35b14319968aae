"""The contract `parley.stt.v1.SpeechToText`: what is accepted, what is refused and how."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import grpc

from parley.stt.v1 import stt_pb2, stt_pb2_grpc
from servicekit import semconv
from servicekit.audio import describe
from servicekit.errors import Reason, abort
from servicekit.logs import get_logger
from servicekit.protocol import OrderError, RecognizeOrder
from servicekit.server import GrpcServer, Slots
from servicekit.telemetry import Telemetry
from stt_service.engines.interface import Engine, EngineError, LanguageUnsupportedError, Request
from stt_service.hearing import FORMATS, AudioTooLongError, Hearing, is_understood, offered
from stt_service.recognition import ClientGoneError, IdleError, Recognition
from stt_service.settings import SttSettings

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, Any]

CONTRACT = "parley.stt.v1"
SERVICE_NAME = "parley.stt.v1.SpeechToText"
_MOST_HOTWORDS = 200
_LONGEST_PROMPT = 2000

_REFUSALS: tuple[tuple[type[Exception], grpc.StatusCode, str], ...] = (
    (AudioTooLongError, grpc.StatusCode.INVALID_ARGUMENT, Reason.AUDIO_TOO_LONG),
    (LanguageUnsupportedError, grpc.StatusCode.INVALID_ARGUMENT, Reason.LANGUAGE_UNSUPPORTED),
    (IdleError, grpc.StatusCode.DEADLINE_EXCEEDED, Reason.IDLE),
    (EngineError, grpc.StatusCode.UNAVAILABLE, Reason.ENGINE_FAILED),
)
_REFUSED = tuple(kind for kind, _, _ in _REFUSALS)

_log = get_logger(__name__)


class SpeechToText(stt_pb2_grpc.SpeechToTextServicer):
    """Serves one open engine to as many utterances at once as there are slots."""

    def __init__(
        self, engine: Engine, settings: SttSettings, *, server: GrpcServer, slots: Slots, telemetry: Telemetry
    ) -> None:
        """`server` admits each utterance to one of the `slots`, or refuses it: full, or going down."""
        self._engine = engine
        self._settings = settings
        self._server = server
        self._slots = slots
        self._telemetry = telemetry
        self._final = telemetry.meter.create_histogram(
            semconv.METRIC_STT_FINAL,
            unit="ms",
            description="Finalize or finish received until the final is sent",
            explicit_bucket_boundaries_advisory=list(semconv.MS_BUCKETS),
        )
        slots.observe(telemetry)

    async def Recognize(  # type: ignore[override]  # noqa: N802 - gRPC's name; the stubs know only generators
        self, request_iterator: AsyncIterator[stt_pb2.RecognizeRequest], context: Context
    ) -> None:
        """Recognise one utterance; see the contract."""
        order = RecognizeOrder()
        try:
            config = await self._config(order, request_iterator, context)
            hearing = Hearing(config.format, self._engine.info.sample_rate_hz, longest_s=self._settings.max_utterance_s)
            recognition = Recognition(
                self._engine,
                await self._server.admit(self._slots, context),
                self._request(config),
                hearing,
                idle_timeout_s=self._settings.idle_timeout_s,
                telemetry=self._telemetry,
                on_final=self._final.record,
            )
            await recognition.run(order, request_iterator, context.write)
        except OrderError as error:
            await abort(context, grpc.StatusCode.INVALID_ARGUMENT, error.reason, str(error))
        except ClientGoneError:
            await abort(context, grpc.StatusCode.CANCELLED, Reason.MESSAGE_ORDER, "the stream ended without `finish`")
        except _REFUSED as error:
            if isinstance(error, EngineError):
                # The error's own words and type; never what was said.
                cause = type(error.__cause__ or error).__name__
                _log.error("the engine failed", engine=self._engine.info.name, error=str(error), cause=cause)
            code, reason = next((code, reason) for kind, code, reason in _REFUSALS if isinstance(error, kind))
            await abort(context, code, reason, str(error))

    async def GetInfo(  # noqa: N802 - gRPC's name
        self, request: stt_pb2.GetInfoRequest, context: Context
    ) -> stt_pb2.GetInfoResponse:
        """What this server is and can do."""
        info = self._engine.info
        answer = stt_pb2.GetInfoResponse(
            contract=CONTRACT,
            engine=info.name,
            engine_version=info.version,
            model=info.model,
            languages=info.languages,
            formats=FORMATS,
            capacity=self._slots.capacity,
            in_use=self._slots.in_use,
            partials=info.partials,
            word_times=info.word_times,
            language_detection=info.language_detection,
            end_of_turn=False,
            punctuation=info.punctuation,
            limitations=info.limitations,
        )
        answer.max_utterance.FromNanoseconds(round(self._settings.max_utterance_s * 1e9))
        return answer

    async def _config(
        self, order: RecognizeOrder, requests: AsyncIterator[stt_pb2.RecognizeRequest], context: Context
    ) -> stt_pb2.RecognizeConfig:
        first = await anext(requests, None)
        if first is None:
            raise ClientGoneError
        order.client(first)
        config = first.config
        if not is_understood(config.format):
            await abort(
                context,
                grpc.StatusCode.INVALID_ARGUMENT,
                Reason.FORMAT_UNSUPPORTED,
                f"{describe(config.format)} is not understood; send one of {offered()}",
            )
        return config

    def _request(self, config: stt_pb2.RecognizeConfig) -> Request:
        languages = tuple(tag for tag in config.languages if tag) or self._settings.languages
        info = self._engine.info
        return Request(
            languages=languages,
            detect_language=config.detect_language or not config.languages,
            # What is beyond the contract's limits is cut: a longer hint is no reason to hear nothing.
            prompt=config.prompt[-_LONGEST_PROMPT:],
            hotwords=tuple(config.hotwords[:_MOST_HOTWORDS]),
            word_times=config.word_times and info.word_times,
            partials=config.partials,
            patient=config.profile == stt_pb2.PROFILE_RECORDING,
        )
