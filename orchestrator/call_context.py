"""What the parts of one call share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

from opentelemetry.context import Context

from orchestrator.brain import Brain
from orchestrator.end_of_turn import EndOfTurnJudges
from orchestrator.engine import Event
from orchestrator.event_log import EventLogs, EventLogSettings
from orchestrator.history import History
from orchestrator.outbox import Outbox
from orchestrator.playout import MarkCounter
from orchestrator.prompts import Prompts
from orchestrator.recognition import RecognitionOptions
from orchestrator.settings import OrchestratorSettings
from orchestrator.speech_load import SpeechLoad
from orchestrator.synthesis import VoiceOptions
from orchestrator.tools import CallTools
from orchestrator.turn_record import TurnMetrics
from parley.conversation.v1 import conversation_pb2 as conv
from parley.stt.v1 import stt_pb2_grpc
from parley.tts.v1 import tts_pb2_grpc
from servicekit.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Services:
    """What all calls of a process share."""

    settings: OrchestratorSettings
    telemetry: Telemetry
    metrics: TurnMetrics
    brain: Brain
    stt: stt_pb2_grpc.SpeechToTextAsyncStub
    tts: tts_pb2_grpc.TextToSpeechAsyncStub
    prompts: Prompts
    fallback: Brain | None = None
    """Asked where the brain fails."""
    event_logs: EventLogs = field(default_factory=lambda: EventLogs(EventLogSettings()))
    """Where each call's turn-taking is written down; nowhere unless that is switched on."""
    judges: EndOfTurnJudges | None = None
    """The end-of-turn model, where one is configured."""
    load: SpeechLoad | None = None
    """How busy the speech services are, where that is watched."""


@dataclass(slots=True)
class CallContext:
    """What the parts of one call share: its identity, its services, and the ways to the engine and the gateway."""

    call_id: str
    services: Services
    trace: Context
    """The call's set-up, to which each turn's trace is linked."""
    language: str
    recognition: RecognitionOptions
    voice: VoiceOptions
    ahead_ms: float
    """The line's max_playout_ahead."""
    outbox: Outbox
    history: History
    tools: CallTools
    now_ms: Callable[[], float]
    post: Callable[[Event], None]
    """Tell the turn engine."""
    spawn: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]
    """Begin a task that ends with the call."""
    marks: MarkCounter = field(default_factory=MarkCounter)

    def speak(self, language: str) -> None:
        """The call goes on in this language: recognised first, spoken, and prompted in."""
        settings = self.services.settings
        self.language = language
        others = tuple(tag for tag in self.recognition.languages if tag != language)
        self.recognition = replace(self.recognition, languages=(language, *others))
        if not settings.tts.language:
            self.voice = replace(self.voice, language=language)

    def send(self, event: conv.AgentEvent) -> None:
        """Send a message to the gateway."""
        self.outbox.put(event)

    def notice(
        self,
        code: str,
        message: str,
        turn_id: int = 0,
        severity: conv.NoticeSeverity.ValueType = conv.NOTICE_SEVERITY_WARNING,
    ) -> None:
        """Tell the gateway of something that the call survives."""
        notice = conv.Notice(severity=severity, code=code, message=message, turn_id=turn_id)
        self.outbox.put(conv.AgentEvent(notice=notice))
