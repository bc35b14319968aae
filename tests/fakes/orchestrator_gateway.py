"""A gateway's end of Converse: sends what the test makes the caller do, keeps what the agent sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
import grpc.aio
from google.protobuf.duration_pb2 import Duration

from orchestrator.brain import Brain
from orchestrator.call_context import Services
from orchestrator.server import SERVICE, ConversationServicer, prompts_for
from orchestrator.settings import OrchestratorSettings
from orchestrator.speech_load import SpeechLoad
from orchestrator.turn_record import TurnMetrics
from orchestrator.vad import SpeechModels
from parley.conversation.v1 import conversation_pb2 as conv
from parley.conversation.v1 import conversation_pb2_grpc as conv_grpc
from parley.stt.v1 import stt_pb2_grpc
from parley.tts.v1 import tts_pb2_grpc
from servicekit.audio import MULAW_8K
from servicekit.channels import open_channel
from servicekit.protocol import ConverseOrder
from servicekit.server import DrainSettings, GrpcServer, Slots
from servicekit.telemetry import Telemetry, TelemetrySettings
from tests.fakes.orchestrator_stt import FakeStt
from tests.fakes.orchestrator_tts import FakeTts

FRAME_MS = 20
SILENCE = b"\xff" * 160
VOICE = bytes([0x10, 0x90]) * 80
"""A loud tone, which `FakeSpeechModel` takes for speech."""
PATIENCE_S = 20.0
"""How long a test waits for what must come; reached only when it never does."""


class FakeSpeechModel:
    """Calls every loud window speech."""

    def process(self, data: memoryview) -> float:
        """Probability of speech in a window."""
        return 0.99 if max(data) > 0.05 else 0.01

    def reset(self) -> None:
        """It remembers nothing."""


class FakeSpeechModels(SpeechModels):
    """Lends fake models."""

    async def borrow(self) -> FakeSpeechModel:
        """A new one."""
        return FakeSpeechModel()


def _duration(ms: float) -> Duration:
    duration = Duration()
    duration.FromMilliseconds(int(ms))
    return duration


def start_of(call_id: str = "c1") -> conv.Start:
    """A telephone's `start`."""
    return conv.Start(
        call_id=call_id,
        caller_formats=[MULAW_8K],
        agent_formats=[MULAW_8K],
        capabilities=conv.Capabilities(marks=True, max_playout_ahead=_duration(1000)),
    )


@dataclass
class FakeGateway:
    """One call. ``plays`` says whether agent audio is reported as played as soon as its mark comes."""

    stream: grpc.aio.StreamStreamCall[conv.CallEvent, conv.AgentEvent]
    plays: bool = True
    events: list[conv.AgentEvent] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    order: ConverseOrder = field(default_factory=ConverseOrder)
    stale: list[int] = field(default_factory=list)
    """Playouts of which audio came after they were cleared."""
    plays_from: int = 1 << 62
    """From this playout on everything is played, whatever ``plays`` says."""
    stops_in: int = 1 << 62
    stops_at_ms: float = 0.0
    """From this playout on nothing is played beyond this position."""
    reported: list[conv.Playback] = field(default_factory=list)
    status: grpc.StatusCode = grpc.StatusCode.OK
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _cleared: int = 0
    _seq: int = 0
    _media_ms: float = 0.0
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _reader: asyncio.Task[None] | None = None

    async def begin(self, start: conv.Start) -> None:
        """Send `start` and begin to read."""
        await self.send(conv.CallEvent(start=start))
        self._reader = asyncio.create_task(self._read())

    async def send(self, event: conv.CallEvent) -> None:
        """Send one message, checked against the contract."""
        # Concurrent writes on one stream fail.
        async with self._writing:
            self.order.client(event)
            await self.stream.write(event)

    async def _read(self) -> None:
        try:
            while isinstance(event := await self.stream.read(), conv.AgentEvent):
                self.events.append(event)
                kind = self.order.server(event)
                if kind == "clear":
                    self._cleared = max(self._cleared, event.clear.through_playout_id)
                elif kind == "audio" and event.audio.playout_id <= self._cleared:
                    self.stale.append(event.audio.playout_id)
                elif kind == "mark" and self._is_played(event.mark):
                    await self.played(event.mark)
                self._news.set()
        except grpc.aio.AioRpcError as error:
            self.status = error.code()
        finally:
            self.ended.set()
            self._news.set()

    def _is_played(self, mark: conv.Mark) -> bool:
        within = mark.playout_id < self.stops_in or mark.position.ToMilliseconds() <= self.stops_at_ms
        return (self.plays or mark.playout_id >= self.plays_from) and within and not self.order.client_finished

    async def played(self, mark: conv.Mark) -> None:
        """Report a mark as played."""
        playback = conv.Playback(
            playout_id=mark.playout_id,
            mark=mark.mark,
            status=conv.Playback.STATUS_PLAYED,
            position=mark.position,
            last=mark.last,
        )
        self.reported.append(playback)
        await self.send(conv.CallEvent(playback=playback))

    async def cleared(self, playout_id: int, position_ms: float) -> None:
        """Report a playout as thrown away after so much of it was played."""
        playback = conv.Playback(
            playout_id=playout_id, status=conv.Playback.STATUS_CLEARED, position=_duration(position_ms)
        )
        await self.send(conv.CallEvent(playback=playback))

    async def say(self, ms: float, payload: bytes = VOICE) -> None:
        """Send so much of the caller's sound, all at once."""
        for _ in range(int(ms / FRAME_MS)):
            self._seq += 1
            audio = conv.CallerAudio(seq=self._seq, offset=_duration(self._media_ms), payload=payload)
            self._media_ms += FRAME_MS
            await self.send(conv.CallEvent(audio=audio))

    async def send_sound(self, sound: bytes) -> None:
        """Send this sound of the caller's, μ-law at 8 kHz, all at once."""
        for at in range(0, len(sound), len(SILENCE)):
            await self.say(FRAME_MS, sound[at : at + len(SILENCE)])

    async def be_silent(self, ms: float) -> None:
        """Send so much silence, all at once."""
        await self.say(ms, SILENCE)

    async def until(self, wanted: Callable[[conv.AgentEvent], bool], after: int = 0) -> conv.AgentEvent:
        """The first event from the ``after``-th on that is wanted, waiting for it."""
        position = after
        async with asyncio.timeout(PATIENCE_S):
            while True:
                while position < len(self.events):
                    if wanted(self.events[position]):
                        return self.events[position]
                    position += 1
                assert not self.ended.is_set(), "the stream ended before the wanted event came"
                self._news.clear()
                await self._news.wait()

    async def turn(self, turn_id: int, state: conv.TurnState.ValueType) -> conv.Turn:
        """The message that says that a turn entered a state."""
        event = await self.until(lambda e: e.turn.turn_id == turn_id and e.turn.state == state)
        return event.turn

    async def play_all(self) -> None:
        """Report every mark that came as played."""
        for event in list(self.events):
            if event.HasField("mark"):
                await self.played(event.mark)

    async def answer_greeting(self) -> None:
        """Hear the greeting to its end, then be silent for a moment."""
        greeting = await self.until(lambda e: e.mark.last)
        if not self.plays:
            await self.play_all()
        assert greeting.mark.playout_id == 1
        await self.be_silent(500)

    async def ask(self) -> None:
        """Speak for a while, then be silent long enough to be answered."""
        await self.say(800)
        await self.be_silent(400)

    async def hang_up(self, reason: conv.EndReason.ValueType = conv.END_REASON_CALLER_HUNG_UP) -> None:
        """End the call and wait for the agent's end."""
        await self.send(conv.CallEvent(end=conv.CallEnd(reason=reason)))
        await self.stream.done_writing()
        async with asyncio.timeout(PATIENCE_S):
            await self.ended.wait()
            assert self._reader is not None
            await self._reader

    async def leave(self) -> None:
        """Drop the stream, as a gateway does that dies."""
        self.stream.cancel()
        if self._reader is not None:
            await asyncio.gather(self._reader, return_exceptions=True)

    def checkpoint(self) -> conv.Checkpoint:
        """The last checkpoint that came."""
        return [e.checkpoint for e in self.events if e.HasField("checkpoint")][-1]

    def resumption(self, checkpoints: int | None = None) -> conv.Resume:
        """What this gateway would tell a successor, had no more than the first so many ``checkpoints`` reached it."""
        since = [i for i, e in enumerate(self.events) if e.HasField("checkpoint")][:checkpoints][-1]
        playouts = [e.playout.playout_id for e in self.events if e.HasField("playout")]
        return conv.Resume(
            checkpoint=self.events[since].checkpoint,
            highest_turn_id=max((e.turn.turn_id for e in self.events), default=0),
            highest_candidate_id=max((e.turn.candidate_id for e in self.events), default=0),
            highest_playout_id=max(playouts, default=0),
            highest_mark=max((e.mark.mark for e in self.events), default=0),
            playback=self.reported,
            transcripts=[
                e.transcript
                for i, e in enumerate(self.events)
                if e.transcript.speaker == conv.SPEAKER_AGENT and (i > since or e.transcript.playout_id == playouts[-1])
            ],
        )

    def kinds(self) -> list[str]:
        """What came, by kind."""
        return [str(event.WhichOneof("event")) for event in self.events]

    def spoken(self) -> str:
        """All that the agent said."""
        return " ".join(
            e.transcript.text for e in self.events if e.transcript.speaker == conv.SPEAKER_AGENT and e.transcript.text
        )


@dataclass
class Conversations:
    """A running Conversation server with its fake services."""

    stt: FakeStt
    tts: FakeTts
    slots: Slots
    server: GrpcServer
    servicer: ConversationServicer
    services: Services
    stub: conv_grpc.ConversationAsyncStub

    @asynccontextmanager
    async def call(self, start: conv.Start | None = None, *, plays: bool = True) -> AsyncIterator[FakeGateway]:
        """A call that has begun; dropped on leaving unless it has ended."""
        gateway = FakeGateway(self.stub.Converse(), plays=plays)
        await gateway.begin(start or start_of())
        try:
            yield gateway
        finally:
            await gateway.leave()


@asynccontextmanager
async def conversations(
    brain: Brain,
    stt: FakeStt,
    tts: FakeTts | None = None,
    settings: OrchestratorSettings | None = None,
    telemetry: Telemetry | None = None,
    fallback: Brain | None = None,
    *,
    watches_load: bool = False,
) -> AsyncIterator[Conversations]:
    """A Conversation server on a free port, with real channels to fake services.

    With ``watches_load`` it knows how busy they are before the first call.
    """
    settings = settings or OrchestratorSettings(max_calls=4)
    telemetry = telemetry or Telemetry.start("parley-orchestrator", TelemetrySettings())
    tts = tts or FakeTts()
    stt_server, tts_server = grpc.aio.server(), grpc.aio.server()
    stt_pb2_grpc.add_SpeechToTextServicer_to_server(stt, stt_server)
    tts_pb2_grpc.add_TextToSpeechServicer_to_server(tts, tts_server)
    stt_port, tts_port = stt_server.add_insecure_port("127.0.0.1:0"), tts_server.add_insecure_port("127.0.0.1:0")
    await stt_server.start()
    await tts_server.start()
    server = GrpcServer(
        listen="127.0.0.1:0", telemetry=telemetry, drain=DrainSettings(timeout_s=5.0), services=[SERVICE]
    )
    slots = Slots(settings.max_calls)
    async with (
        open_channel(f"127.0.0.1:{stt_port}") as stt_channel,
        open_channel(f"127.0.0.1:{tts_port}") as tts_channel,
    ):
        stt_stub, tts_stub = stt_pb2_grpc.SpeechToTextStub(stt_channel), tts_pb2_grpc.TextToSpeechStub(tts_channel)
        load = SpeechLoad(stt_stub, tts_stub) if watches_load else None
        watching = asyncio.create_task(load.run()) if load is not None else None
        if load is not None:
            await anext(load.shares())
        services = Services(
            settings=settings,
            telemetry=telemetry,
            metrics=TurnMetrics(telemetry),
            brain=brain,
            fallback=fallback,
            stt=stt_stub,
            tts=tts_stub,
            load=load,
            prompts=prompts_for(tts_stub, telemetry, settings.tts.attempts),
        )
        servicer = ConversationServicer(services, server, slots, FakeSpeechModels(settings.max_calls))
        conv_grpc.add_ConversationServicer_to_server(servicer, server.grpc)
        address = await server.start()
        server.set_serving()
        async with open_channel(address) as channel:
            try:
                yield Conversations(stt, tts, slots, server, servicer, services, conv_grpc.ConversationStub(channel))
            finally:
                if watching is not None:
                    watching.cancel()
                    await asyncio.gather(watching, return_exceptions=True)
                await services.prompts.close()
                await server.drain(slots=slots)
                await stt_server.stop(None)
                await tts_server.stop(None)
