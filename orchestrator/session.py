"""One call from `start` to `end`: reads the gateway's stream, feeds the turn engine, owns every task of the call."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from orchestrator.call_context import CallContext, Services
from orchestrator.caller_audio import CallerAudio
from orchestrator.checkpoint import CallMemory
from orchestrator.clean_up import open_clean_up, open_wire_clean_up
from orchestrator.engine import (
    CallEnded,
    CallStarted,
    DigitPressed,
    EndOfTurnJudged,
    Event,
    FinalHeard,
    Ids,
    PartialHeard,
    PlayoutFinished,
    ReplyWritten,
    ServicesLoad,
    SpeechWindow,
    Tick,
    TurnEngine,
    TurnTakenOver,
    load_cues,
)
from orchestrator.languages import LanguageChoice
from orchestrator.listening import Listening
from orchestrator.outbox import Outbox, OutboxFullError
from orchestrator.playout import MarkCounter, duration_of, ms_of
from orchestrator.recognition import RecognitionOptions
from orchestrator.speaking import Speaking
from orchestrator.speech_load import SpeechLoad
from orchestrator.synthesis import VoiceOptions
from orchestrator.taking_over import left_over
from orchestrator.tools import CallTools
from orchestrator.turn_work import TurnWork
from orchestrator.vad import SpeechModel
from orchestrator.wording import greets
from parley.audio.v1 import audio_pb2
from parley.conversation.v1 import conversation_pb2 as conv
from servicekit.logs import get_logger
from servicekit.protocol import ConverseOrder, OrderError
from servicekit.telemetry import from_proto

log = get_logger(__name__)

MAX_PAYLOAD_MS = 1000.0
DEFAULT_AHEAD_MS = 1000.0
# How long the gateway has to carry out a hang-up before the conversation ends by itself.
HANG_UP_WITHIN_S = 10.0
# How long the last messages may take to be written to a gateway that is still there.
LAST_WORDS_S = 2.0
# How long a gateway may take to play what waits and to end its side after ours.
GATEWAY_ENDS_WITHIN_S = 5.0
# Sound that comes faster than real time by more than this is not fed on (a peer that floods).
_MAX_LEAD_MS = 5000.0
_KEPT_BY_GATEWAY_MS = 60_000.0
# A timer that fires this late tells that the process was held up, and that much sound may lie unread: it is read first.
_HELD_UP_MS = 100.0
_READ_FIRST_S = 0.03

Read = Callable[[], Awaitable[conv.CallEvent | None]]
Write = Callable[[conv.AgentEvent], Awaitable[None]]


class Session:
    """A live call. ``run`` returns when it is over and nothing of it is left."""

    def __init__(
        self,
        *,
        start: conv.Start,
        caller_format: audio_pb2.AudioFormat,
        agent_format: audio_pb2.AudioFormat,
        memory: CallMemory,
        services: Services,
        model: SpeechModel,
        order: ConverseOrder,
        read: Read,
        write: Write,
    ) -> None:
        settings = services.settings
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._start = start
        self._order = order
        self._read = read
        self._settings = settings
        self._outbox = Outbox(write)
        self._formats = (caller_format, agent_format)
        self._wire = open_wire_clean_up(settings.clean_up, caller_format)
        self._audio = CallerAudio(
            caller_format,
            model,
            kept_ms=settings.speech.pre_roll_ms + 1000.0,
            clean_up=None if self._wire else open_clean_up(settings.clean_up, caller_format.sample_rate_hz),
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._group: asyncio.TaskGroup | None = None
        self._over: asyncio.Future[conv.EndReason.ValueType] = self._loop.create_future()
        self._events: deque[Event] = deque()
        self._taking_up = False
        self._ended = False
        self._timer: asyncio.TimerHandle | None = None
        self._deadline_ms: float | None = None
        self._catching_up = False
        self._hang_up_watched = False
        self._origin_ms: float | None = None
        # A resumed call sends the sound that the gateway kept first, faster than real time.
        self._lead_ms = _MAX_LEAD_MS + (_KEPT_BY_GATEWAY_MS if start.HasField("resume") else 0.0)
        self._heard_from_at = self._began

        resume = start.resume
        language = start.language or memory.language or settings.language
        self._owed = (
            left_over(memory, resume, language, settings.speech_text.numbers) if start.HasField("resume") else None
        )
        capabilities = start.capabilities
        ahead_ms = ms_of(capabilities.max_playout_ahead) if capabilities.HasField("max_playout_ahead") else 0.0
        ids = Ids(
            turn=max(resume.highest_turn_id, resume.checkpoint.last_turn_id),
            candidate=max(resume.highest_candidate_id, memory.last_candidate_id),
            playout=max(resume.highest_playout_id, resume.checkpoint.last_playout_id),
        )
        self._call = CallContext(
            call_id=start.call_id,
            services=services,
            trace=from_proto(start.call_trace),
            language=language,
            recognition=RecognitionOptions(
                fmt=caller_format,
                languages=settings.stt.languages or (language,),
                hotwords=settings.stt.hotwords,
                patience_s=settings.stt.patience_s,
                retry_pause_s=settings.stt.retry_pause_ms / 1000.0,
                max_utterance_ms=settings.endpointing.max_utterance_ms * 1.5,
            ),
            voice=voice_for(services, agent_format, language),
            ahead_ms=ahead_ms or DEFAULT_AHEAD_MS,
            outbox=self._outbox,
            history=memory.history,
            tools=CallTools(
                capabilities,
                settings.tools,
                lambda control: self._outbox.put(conv.AgentEvent(call_control=control)),
                last_id=resume.highest_call_control_id,
                owed=self._owe_reply,
            ),
            now_ms=self._now_ms,
            post=self.post,
            spawn=self._spawn,
            marks=MarkCounter(resume.highest_mark),
        )
        speculate = services.brain.speculation_safe
        choice = LanguageChoice(self._call.recognition.languages, language, settled=bool(memory.language))
        self._engine = TurnEngine(settings, load_cues(language), ids, speculate=speculate, languages=choice)
        self._event_log = services.event_logs.open(
            start.call_id,
            settings,
            language,
            speculate,
            ids,
            languages=self._call.recognition.languages,
            language_settled=bool(memory.language),
        )
        self._judge = services.judges.for_call(self._judged) if services.judges is not None else None
        self._listening = Listening(self._call, self._audio, self._judge)
        self._speaking = Speaking(self._call)
        self._work = TurnWork(self._call, self._listening, self._speaking, ids)
        self._work.checkpoint_seq = resume.checkpoint.seq

    # ------------------------------------------------------------------------------------------------------- life

    async def run(self) -> conv.EndReason.ValueType:
        """Hold the call until either side ends it. Cancelling it ends the call at once.

        Raises:
            OrderError: the gateway broke the contract.
            OutboxFullError: the gateway has stopped reading.
        """
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                writer = group.create_task(self._outbox.run(), name="outbox")
                self._ready()
                reader = self._spawn(self._read_all(), "reader")
                self._spawn(self._watch_line(), "line watchdog")
                reason = await self._over
                self._end_turns()
                self._outbox.close(conv.AgentEvent(end=conv.AgentEnd(reason=reason)))
                await asyncio.wait({writer}, timeout=LAST_WORDS_S)
                # A stream that ends under a gateway's write looks broken to it, our `end` unread. So it ends first.
                await asyncio.wait({reader}, timeout=GATEWAY_ENDS_WITHIN_S)
                writer.cancel()
                for task in self._tasks:
                    task.cancel()
        except* (OrderError, OutboxFullError) as group_error:
            raise group_error.exceptions[0] from None
        finally:
            self._end_turns()
            self._event_log.close()
            self._group = None
        return reason

    def go_away(self, within_s: float) -> None:
        """Tell the gateway that this server goes down."""
        if not self._ended:
            self._work.checkpoint()
            self._outbox.urge()
            going = conv.GoAway(within=duration_of(within_s * 1000.0), reason="the server is going down")
            self._outbox.put(conv.AgentEvent(go_away=going))

    def _ready(self) -> None:
        resumed = self._start.HasField("resume")
        ready = conv.Ready(caller_format=self._formats[0], agent_format=self._formats[1], resumed=resumed)
        self._outbox.put(conv.AgentEvent(ready=ready))
        if resumed:
            self._call.notice("CALL_RESUMED", "The conversation was taken over by this server.")
        line = self._start.capabilities
        self.post(
            CallStarted(
                self._now_ms(),
                greet=not resumed and greets(self._settings.prompts),
                can_duck=line.duck,
                can_take_message=line.take_message,
                has_fallback=self._call.services.fallback is not None,
            )
        )
        if self._call.services.load is not None:
            self._spawn(self._follow_load(self._call.services.load), "load")
        if self._owed is not None:
            self._work.left_over = self._owed if self._owed.segments else None
            continues = self._owed.continues_playout_id
            candidate_id = self._owed.candidate_id
            self.post(TurnTakenOver(self._now_ms(), self._owed.turn_id, self._owed.question, candidate_id, continues))

    def _end_turns(self) -> None:
        if not self._ended:
            self.post(CallEnded(self._now_ms()))
            self._ended = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _finish(self, reason: conv.EndReason.ValueType) -> None:
        if not self._over.done():
            self._over.set_result(reason)

    # -------------------------------------------------------------------------------------------------- the gateway

    async def _read_all(self) -> None:
        while (message := await self._read()) is not None:
            kind = self._order.client(message)
            self._heard_from_at = self._loop.time()
            if kind == "audio":
                self._hear(message.audio)
            elif kind == "playback":
                self._work.playback(message.playback)
            elif kind == "dtmf":
                self.post(DigitPressed(self._now_ms(), message.dtmf.digit))
            elif kind == "call_control_result":
                self._control_result(message.call_control_result)
            elif kind == "end":
                self._finish(message.end.reason)
                return
        # A stream that ends without `end` is a gateway that died.
        self._finish(conv.END_REASON_LINE_LOST)

    def _hear(self, audio: conv.CallerAudio) -> None:
        if self._audio.duration_ms(audio.payload) > MAX_PAYLOAD_MS:
            # Judging it would hold up every other call.
            raise OrderError("Converse: caller audio of more than 1 s in one message")
        offset_ms = ms_of(audio.offset)
        if self._origin_ms is None:
            self._origin_ms = offset_ms
        if self._audio.media_ms > self._origin_ms + self._now_ms() + self._lead_ms:
            return
        payload = self._wire.clean(audio.payload) if self._wire else audio.payload
        self._listening.hear(payload)
        for window in self._audio.push(payload, offset_ms):
            if self._judge is not None:
                self._judge.hear(window.samples, window.end_ms)
            played = self._speaking.level_dbfs()
            self.post(SpeechWindow(self._now_ms(), window.end_ms, window.probability, window.level_dbfs, played))

    def _judged(self, turn_id: int, probability: float, covers_ms: float) -> None:
        if not self._over.done():
            self.post(EndOfTurnJudged(self._now_ms(), turn_id, probability, covers_ms))

    def _control_result(self, result: conv.CallControlResult) -> None:
        self._call.tools.result(result)
        self._work.checkpoint()

    def _owe_reply(self) -> None:
        """An order failed after its reply had ended: the brain, which reads of it in the history, tells the caller."""
        # Whoever speaks now, or is about to be answered, leads to a question that holds it anyway.
        if not self._engine.open_turns and not self._ended:
            self.post(TurnTakenOver(self._now_ms(), self._engine.ids.next_turn(), ""))

    async def _follow_load(self, load: SpeechLoad) -> None:
        async for share in load.shares():
            self.post(ServicesLoad(self._now_ms(), share))

    async def _watch_line(self) -> None:
        limit_s = self._settings.line_lost_s
        left_s = limit_s
        while left_s > 0:
            await asyncio.sleep(left_s)
            left_s = self._heard_from_at + limit_s - self._loop.time()
        log.warning("the gateway has been silent for too long", seconds=limit_s)
        self._finish(conv.END_REASON_LINE_LOST)

    async def _hang_up_deadline(self, reason: conv.EndReason.ValueType) -> None:
        await asyncio.sleep(HANG_UP_WITHIN_S)
        log.warning("the gateway did not hang up in time")
        self._finish(reason)

    # --------------------------------------------------------------------------------------------------- the engine

    def post(self, event: Event) -> None:
        """Give the engine an event and carry out what it asks for.

        An action may itself cause an event; that one is taken up after the actions before it are done.
        """
        if self._ended:
            return
        self._events.append(event)
        if self._taking_up:
            return
        self._taking_up = True
        try:
            while self._events:
                following = self._events.popleft()
                if isinstance(following, FinalHeard | PartialHeard):
                    self._work.transcript_came(following.turn_id)
                actions = self._engine.handle(following)
                self._event_log.took(following, actions)
                for action in actions:
                    self._work.do(action)
                if isinstance(following, ReplyWritten):
                    self._work.reply_written()
                elif isinstance(following, PlayoutFinished):
                    self._work.playout_finished()
        finally:
            self._taking_up = False
        if self._work.hanging_up is not None and not self._hang_up_watched:
            self._hang_up_watched = True
            self._spawn(self._hang_up_deadline(self._work.hanging_up), "hang-up deadline")
        self._set_timer()

    def _set_timer(self) -> None:
        deadline = self._engine.next_deadline()
        if self._timer is not None and not self._timer.cancelled() and deadline == self._deadline_ms:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._deadline_ms = deadline
        self._timer = None if deadline is None else self._loop.call_at(self._began + deadline / 1000.0, self._tick)

    def _tick(self) -> None:
        held_up = self._deadline_ms is not None and self._now_ms() - self._deadline_ms >= _HELD_UP_MS
        if held_up and not self._catching_up:
            self._catching_up = True
            self._timer = self._loop.call_later(_READ_FIRST_S, self._tick)
            return
        self._catching_up = False
        self._timer = None
        try:
            self.post(Tick(self._now_ms()))
        except Exception as error:
            if not self._over.done():
                self._over.set_exception(error)

    def _now_ms(self) -> float:
        return (self._loop.time() - self._began) * 1000.0

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        if self._group is None:
            work.close()
            raise RuntimeError("the call is over")
        task = self._group.create_task(work, name=f"{name} of {self._call.call_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def voice_for(services: Services, fmt: audio_pb2.AudioFormat, language: str) -> VoiceOptions:
    """The voice of a call in this format and language."""
    tts = services.settings.tts
    return VoiceOptions(tts.target, tts.voice, tts.language or language, tts.speed, fmt.encoding, fmt.sample_rate_hz)
