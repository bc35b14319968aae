"""The Conversation service: admits calls, holds a session for each, and lets them finish when the server goes down."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import NoReturn

import grpc
import grpc.aio
from opentelemetry.context import Context

from orchestrator.brain import open_brain
from orchestrator.call_context import Services
from orchestrator.checkpoint import CallMemory, CheckpointUnreadableError
from orchestrator.checkpoint import load as load_checkpoint
from orchestrator.clean_up import check
from orchestrator.end_of_turn import EndOfTurnJudges, EndOfTurnModel
from orchestrator.event_log import EventLogs
from orchestrator.heard import SegmentText
from orchestrator.history import History
from orchestrator.outbox import OutboxFullError
from orchestrator.preparing import prepare_in_advance
from orchestrator.prompts import Prompts
from orchestrator.session import Session, voice_for
from orchestrator.settings import OrchestratorSettings
from orchestrator.speech_load import SpeechLoad
from orchestrator.speech_text import Numbers, SpeechChunker, prepare_speech_text
from orchestrator.spoken import SpokenReply
from orchestrator.synthesis import SegmentQueue, Synthesis, SynthesisError, VoiceOptions
from orchestrator.turn_record import TurnMetrics
from orchestrator.vad import SpeechModels, lent
from orchestrator.wording import prepared
from parley.audio.v1 import audio_pb2
from parley.conversation.v1 import conversation_pb2 as conv
from parley.conversation.v1 import conversation_pb2_grpc as conv_grpc
from parley.stt.v1 import stt_pb2_grpc
from parley.tts.v1 import tts_pb2_grpc
from servicekit.audio import MULAW_8K, describe, pcm, same_format
from servicekit.channels import open_channel
from servicekit.enum_names import enum_name
from servicekit.errors import Reason, abort
from servicekit.logs import bind_call, get_logger
from servicekit.process import Process
from servicekit.protocol import ConverseOrder, OrderError
from servicekit.server import GrpcServer, Slots
from servicekit.telemetry import Telemetry

log = get_logger(__name__)

SERVICE = "parley.conversation.v1.Conversation"
ALAW_8K = audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_ALAW, sample_rate_hz=8000, channels=1)
FORMATS: tuple[audio_pb2.AudioFormat, ...] = (MULAW_8K, pcm(8000), pcm(16_000), pcm(24_000), pcm(48_000), ALAW_8K)
_CALL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Models loaded before the first call; more are loaded as calls come.
_MODELS_IN_ADVANCE = 4
_GREETING_WITHIN_S = 10.0
# Longer than any prompt: rendering a prompt is never held back.
_WHOLE_PROMPT_MS = 120_000.0

_Context = grpc.aio.ServicerContext[conv.CallEvent, conv.AgentEvent]


def first_common(offered: Sequence[audio_pb2.AudioFormat]) -> audio_pb2.AudioFormat | None:
    """The first of the gateway's formats that we can read and write."""
    return next((fmt for fmt in offered if any(same_format(fmt, ours) for ours in FORMATS)), None)


class ConversationServicer(conv_grpc.ConversationServicer):
    """Implements `parley.conversation.v1.Conversation`."""

    def __init__(self, services: Services, server: GrpcServer, slots: Slots, models: SpeechModels) -> None:
        self._services = services
        self._server = server
        self._slots = slots
        self._models = models
        self._live: dict[str, Session | None] = {}

    async def Converse(  # type: ignore[override]  # noqa: N802 - gRPC's name; it reads and writes through its context
        self, _: object, context: _Context
    ) -> None:
        """Hold one call; see the contract."""
        lease = await self._server.admit(self._slots, context)
        with lease:
            order = ConverseOrder()
            start = await self._read_start(order, context)
            if start.call_id in self._live:
                await abort(context, grpc.StatusCode.ALREADY_EXISTS, Reason.CALL_LIVE, "this call is live here")
            self._live[start.call_id] = None
            try:
                with bind_call(start.call_id):
                    await self._converse(start, order, context)
            finally:
                del self._live[start.call_id]

    async def Prepare(  # noqa: N802 - gRPC's name
        self, request: conv.PrepareRequest, _: grpc.aio.ServicerContext[conv.PrepareRequest, conv.PrepareResponse]
    ) -> conv.PrepareResponse:
        """Warm the brain and render the greeting while the telephone rings."""
        accepted = not self._server.draining and self._slots.in_use < self._slots.capacity
        if accepted:
            services = self._services
            language = request.language or services.settings.language
            brains = [services.brain] if services.fallback is None else [services.brain, services.fallback]
            await asyncio.gather(*(brain.warm() for brain in brains), self._prepare_prompts(language))
        return conv.PrepareResponse(accepted=accepted)

    async def GetInfo(  # noqa: N802 - gRPC's name
        self, _: conv.GetInfoRequest, __: grpc.aio.ServicerContext[conv.GetInfoRequest, conv.GetInfoResponse]
    ) -> conv.GetInfoResponse:
        """Say what this server is and how busy."""
        return conv.GetInfoResponse(
            contract="parley.conversation.v1",
            version=parley_version(),
            capacity=self._slots.capacity,
            live_calls=self._slots.in_use,
            formats=FORMATS,
            brain=self._services.brain.name,
        )

    async def go_away(self) -> None:
        """Tell every live call that this server goes down."""
        for session in self._live.values():
            if session is not None:
                session.go_away(self._services.settings.drain.timeout_s)

    # --------------------------------------------------------------------------------------------------------- inside

    async def _read_start(self, order: ConverseOrder, context: _Context) -> conv.Start:
        first = await context.read()
        if not isinstance(first, conv.CallEvent):
            await _refuse(context, Reason.MESSAGE_ORDER, "the stream ended without `start`")
        try:
            order.client(first)
        except OrderError as error:
            await _refuse(context, error.reason, str(error))
        start: conv.Start = first.start
        if not _CALL_ID.fullmatch(start.call_id):
            await _refuse(context, Reason.CALL_ID_MISSING, "call_id must be 1 to 64 characters of [A-Za-z0-9_-]")
        return start

    async def _converse(self, start: conv.Start, order: ConverseOrder, context: _Context) -> None:
        caller_format, agent_format = first_common(start.caller_formats), first_common(start.agent_formats)
        if caller_format is None or agent_format is None:
            ours = ", ".join(describe(fmt) for fmt in FORMATS)
            await _refuse(context, Reason.FORMAT_UNSUPPORTED, f"none of the formats can be used; these can: {ours}")
        memory = CallMemory(History())
        if start.resume.checkpoint.state:
            try:
                memory = load_checkpoint(start.resume.checkpoint.state)
            except CheckpointUnreadableError as error:
                await _refuse(context, Reason.CHECKPOINT_UNREADABLE, str(error))

        async def read() -> conv.CallEvent | None:
            message = await context.read()
            return message if isinstance(message, conv.CallEvent) else None

        with lent(self._models, await self._models.borrow()) as model:
            session = Session(
                start=start,
                caller_format=caller_format,
                agent_format=agent_format,
                memory=memory,
                services=self._services,
                model=model,
                order=order,
                read=read,
                write=context.write,
            )
            self._live[start.call_id] = session
            log.info(
                "call begins",
                direction=enum_name(conv.Direction, start.direction, "DIRECTION_"),
                resumed=start.HasField("resume"),
            )
            try:
                reason = await session.run()
            except asyncio.CancelledError:
                log.info("call ends", reason="the stream was dropped")
                raise
            except OrderError as error:
                log.warning("the gateway broke the contract", reason=error.reason, detail=str(error))
                await _refuse(context, error.reason, str(error))
            except OutboxFullError as error:
                log.warning("the gateway does not read its stream")
                await abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.CAPACITY, str(error))
            log.info("call ends", reason=enum_name(conv.EndReason, reason, "END_REASON_"))

    async def _prepare_prompts(self, language: str) -> None:
        services = self._services
        voice = voice_for(services, MULAW_8K, language)
        try:
            async with asyncio.timeout(_GREETING_WITHIN_S):
                for text in prepared(services.settings.prompts, language):
                    await services.prompts.get(text, voice)
        except (SynthesisError, TimeoutError) as error:
            # The call may yet be answered: the greeting is tried again when it is to be spoken.
            log.warning("greeting not prepared", cause=type(error).__name__)


async def _refuse(context: _Context, reason: str, message: str) -> NoReturn:
    await abort(context, grpc.StatusCode.INVALID_ARGUMENT, reason, message)


def parley_version() -> str:
    """Parley's version."""
    try:
        return version("parley")
    except PackageNotFoundError:
        return "0"


def cut_into_segments(text: str, language: str, numbers: Numbers = "auto") -> list[SegmentText]:
    """A fixed text as the segments that a reply would be cut into."""
    chunker = SpeechChunker(language, numbers=numbers)
    return [*chunker.push(text), *chunker.finish()]


def prompts_for(
    tts: tts_pb2_grpc.TextToSpeechAsyncStub, telemetry: Telemetry, attempts: int, numbers: Numbers = "auto"
) -> Prompts:
    """The prompts of a process, spoken by its text-to-speech service."""

    async def render(segments: Sequence[SegmentText], voice: VoiceOptions) -> SpokenReply:
        queue = SegmentQueue()
        for segment in segments:
            queue.put(segment)
        queue.close()
        spoken = SpokenReply(voice.format)
        synthesis = Synthesis(tts, voice, telemetry, Context(), ahead_ms=_WHOLE_PROMPT_MS, attempts=attempts, keep=True)
        await synthesis.run(queue, spoken)
        spoken.close()
        return spoken

    return Prompts(render, partial(cut_into_segments, numbers=numbers))


async def serve(process: Process[OrchestratorSettings]) -> None:
    """Run the service until the process is told to stop, and until the calls it holds have ended."""
    settings, telemetry = process.settings, process.telemetry
    slots = Slots(settings.max_calls)
    slots.observe(telemetry)
    models = SpeechModels(settings.max_calls)
    await models.load(_MODELS_IN_ADVANCE)
    server = GrpcServer(listen=settings.listen, telemetry=telemetry, drain=settings.drain, services=[SERVICE])
    check(settings.clean_up)
    end_of_turn = await asyncio.to_thread(EndOfTurnModel.load, settings.end_of_turn)
    judges = EndOfTurnJudges(end_of_turn, settings.end_of_turn) if end_of_turn is not None else None
    event_logs = EventLogs(settings.event_log)
    if settings.speech_text.numbers == "auto":
        # The first number would hold up the loop while a language's words are loaded.
        for language in dict.fromkeys((settings.language, *settings.stt.languages)):
            await asyncio.to_thread(prepare_speech_text, language)
    brain = open_brain(settings.brain, telemetry)
    fallback = open_brain(settings.fallback, telemetry, "orchestrator.fallback") if settings.fallback else None
    async with open_channel(settings.stt.target) as stt_channel, open_channel(settings.tts.target) as tts_channel:
        tts = tts_pb2_grpc.TextToSpeechStub(tts_channel)
        stt = stt_pb2_grpc.SpeechToTextStub(stt_channel)
        load = SpeechLoad(stt, tts)
        watching = asyncio.create_task(load.run(), name="speech load")
        services = Services(
            settings=settings,
            telemetry=telemetry,
            metrics=TurnMetrics(telemetry),
            brain=brain,
            fallback=fallback,
            event_logs=event_logs,
            judges=judges,
            load=load,
            stt=stt,
            tts=tts,
            prompts=prompts_for(tts, telemetry, settings.tts.attempts, settings.speech_text.numbers),
        )
        servicer = ConversationServicer(services, server, slots, models)
        conv_grpc.add_ConversationServicer_to_server(servicer, server.grpc)
        address = await server.start()
        try:
            server.set_serving()
            process.report_ready(grpc=address)
            preparing = asyncio.create_task(prepare_in_advance(services, slots), name="prompts")
            try:
                await process.stopping.wait()
                await server.drain(slots=slots, go_away=servicer.go_away)
            finally:
                preparing.cancel()
                await asyncio.gather(preparing, return_exceptions=True)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await services.prompts.close()
            if judges is not None:
                await judges.close()
            await asyncio.to_thread(event_logs.close)
            await brain.close()
            if fallback is not None:
                await fallback.close()
