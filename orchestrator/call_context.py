"""What the parts of one call share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.context import Context

from orchestrator.brain import Brain
from orchestrator.engine import Event
from orchestrator.history import History
from orchestrator.outbox import Outbox
from orchestrator.playout import MarkCounter
from orchestrator.prompts import Prompts
from orchestrator.recognition import RecognitionOptions
from orchestrator.settings import OrchestratorSettings
from orchestrator.synthesis import VoiceOptions
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
    now_ms: Callable[[], float]
    post: Callable[[Event], None]
    """Tell the turn engine."""
    spawn: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]
    """Begin a task that ends with the call."""
    marks: MarkCounter = field(default_factory=MarkCounter)

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
