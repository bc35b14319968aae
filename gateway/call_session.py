"""One call while it talks: between the line it is on and the conversation it holds.

The line may be lost and replaced; so may the orchestrator. The session outlives both, and ends when the caller, the
agent or the carrier says so, or when either stays away for too long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.call_control import CallControl, HangUp, Order, done
from gateway.call_log import CallLogs
from gateway.call_memory import CallMemory
from gateway.caller_audio import CallerTape, SpeedCap
from gateway.calls import Call, Next
from gateway.conversation import Conversation, ConversationEnd
from gateway.line import CallerSpoke, KeyPressed, Line, LineClose, LineEvent, LineStopped, MarkEchoed
from gateway.media_time import duration
from gateway.observing import GatewayMetrics, PlaybackSpans, trace_of
from gateway.playout import Heard, PlaybackReport, Playout
from gateway.settings import GatewaySettings
from parley.conversation.v1 import conversation_pb2 as conv
from parley.conversation.v1 import conversation_pb2_grpc as conv_grpc
from servicekit.audio import MULAW_8K
from servicekit.enum_names import enum_name
from servicekit.logs import bind_call, get_logger
from servicekit.telemetry import Telemetry

_log = get_logger(__name__)

_BYTES_PER_SECOND: Final = 8_000
_WATCH_EVERY_S: Final = 0.25
_SAME_MOMENT_S: Final = 0.001
_LAST_WORDS_S: Final = 60.0
"""How long sound that waits is still played after the orchestrator has ended the conversation."""
_STATUS: Final = {Heard.PLAYED: conv.Playback.STATUS_PLAYED, Heard.CLEARED: conv.Playback.STATUS_CLEARED}


@dataclass(frozen=True, slots=True)
class SessionParts:
    """What every session of a gateway shares."""

    settings: GatewaySettings
    stub: conv_grpc.ConversationAsyncStub
    telemetry: Telemetry
    metrics: GatewayMetrics
    call_logs: CallLogs | None
    clock: Callable[[], float]
    """The event loop's own clock, in seconds."""


class CallSession:
    """Run `run` in a task that lives as long as the call talks; tell it what the line does at any time."""

    def __init__(self, call: Call, parts: SessionParts) -> None:
        """A session of `call`, without a line yet."""
        settings = parts.settings
        now = parts.clock()
        self._call = call
        self._parts = parts
        self._stream = settings.stream
        self._clock = parts.clock
        self._tape = CallerTape(bytes_per_second=_BYTES_PER_SECOND, retain_s=self._stream.retain_s)
        self._cap = SpeedCap(speed=self._stream.speed_cap, burst_s=self._stream.speed_burst_s, now=now)
        self._playout = Playout(
            bytes_per_second=_BYTES_PER_SECOND,
            max_ahead_s=settings.playout.max_ahead_ms / 1000,
            chunk_s=settings.playout.chunk_ms / 1000,
            mark_timeout_s=settings.playout.mark_timeout_ms / 1000,
            max_queued_s=settings.playout.max_queued_ms / 1000,
        )
        self._spans = PlaybackSpans(parts.telemetry, call.call_id)
        self._log = parts.call_logs.open(call.call_id) if parts.call_logs is not None else None
        self._control = CallControl(targets=settings.transfer.targets)
        self._conversation = Conversation(
            parts.stub,
            start=self._start_message(),
            tape=self._tape,
            memory=CallMemory(),
            settings=settings.orchestrator,
            listener=self,
            clock=parts.clock,
        )
        self._line: Line | None = None
        self._line_lost_at: float | None = now
        self._line_heard_at = now
        self._sending_since: float | None = None
        self._work = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: float | None = None
        self._over = asyncio.Event()
        self._end_reason: conv.EndReason.ValueType = conv.END_REASON_UNSPECIFIED
        self._close_reason = LineClose.CALL_OVER
        self._agent_ended_at: float | None = None
        self._dropped = 0

    # ---------------------------------------------------------------------------------------------- from the line

    def attach(self, line: Line) -> Line | None:
        """The call is on this line from now on; the line it was on, if that was not known to be lost."""
        previous, self._line = self._line, line
        now = self._clock()
        self._line_lost_at = None
        self._line_heard_at = now
        self._sending_since = None
        self._playout.attach(now)
        self._work.set()
        return previous

    def line_lost(self, line: Line) -> None:
        """The line is gone. Another may come; meanwhile nothing is played."""
        if line is self._line:
            self._line = None
            self._line_lost_at = self._clock()
            self._playout.detach()

    def heard(self, line: Line, event: LineEvent) -> None:
        """Something came over the line. What a superseded line still brings is ignored."""
        if line is not self._line or self._over.is_set():
            return
        now = self._clock()
        self._line_heard_at = now
        if type(event) is CallerSpoke:  # fifty a second: looked at first
            if self._cap.admit(len(event.payload) / _BYTES_PER_SECOND, now):
                self._tape.append(event.payload)
                self._conversation.audio_came()
            else:
                self._dropped += 1
        elif isinstance(event, MarkEchoed):
            self._playout.echo(event.name, now)
            self._work.set()
        elif isinstance(event, KeyPressed):
            digit = conv.Dtmf(digit=event.digit, offset=duration(self._tape.position_s))
            self._conversation.put(conv.CallEvent(dtmf=digit))
        elif isinstance(event, LineStopped):
            self.finish(Next.HANG_UP, conv.END_REASON_CALLER_HUNG_UP)

    def finish(self, then: Next, reason: conv.EndReason.ValueType, close: LineClose = LineClose.CALL_OVER) -> None:
        """End the call. The first to say so decides what comes next and why."""
        if not self._over.is_set():
            self._call.next = then
            self._end_reason = reason
            self._close_reason = close
            self._conversation.finish(reason)
            self._over.set()

    # -------------------------------------------------------------------------------------- from the orchestrator

    def agent_said(self, kind: str, event: conv.AgentEvent) -> None:
        """An agent event, `kind` being the member of its oneof."""
        playout = self._playout
        if kind == "audio":
            audio = event.audio
            playout.audio(audio.playout_id, audio.seq, audio.payload)
            self._look_again()
            return
        if self._log is not None:
            self._log.agent_event(event)
        if kind == "mark":
            playout.mark(event.mark.playout_id, event.mark.mark, last=event.mark.last)
            self._look_again()
        elif kind == "playout":
            if playout.announce(event.playout.playout_id):
                self._spans.announce(event.playout)
        elif kind == "clear":
            playout.clear(event.clear.through_playout_id, self._clock())
            self._work.set()
        elif kind == "call_control":
            for result in self._control.receive(event.call_control):
                self._conversation.answer(result)
            self._work.set()
        elif kind == "end":
            self._agent_ended_at = self._clock()
            self._end_reason = event.end.reason
            self._work.set()
        elif kind == "notice":
            severity = enum_name(conv.NoticeSeverity, event.notice.severity, "NOTICE_SEVERITY_")
            _log.warning("orchestrator notice", code=event.notice.code, severity=severity)

    def conversation_opened(self, *, resumed: bool) -> None:
        """A stream was accepted."""
        self._call.set_up()
        _log.info("conversation open", resumed=resumed)

    def conversation_broke(self) -> None:
        """What the lost orchestrator had sent is dropped: its successor speaks the rest from where it was heard."""
        now = self._clock()
        self._playout.clear(self._playout.highest_id, now)
        self._tell(now)
        self._work.set()

    # ---------------------------------------------------------------------------------------------------- running

    async def run(self) -> None:
        """Hold the call until it is over and everything of it is freed."""
        with bind_call(self._call.call_id):
            try:
                async with asyncio.TaskGroup() as tasks:
                    talk = tasks.create_task(self._talk(), name="conversation")
                    others = [
                        tasks.create_task(self._pump(), name="playout"),
                        tasks.create_task(self._watch(), name="watchdog"),
                    ]
                    await self._over.wait()
                    if self._line is not None:
                        await self._line.close(self._close_reason)
                    await talk
                    for task in others:
                        task.cancel()
            except Exception:
                # A bug of ours: let the carrier ask how the call goes on, rather than hold the caller in silence.
                self._call.next = Next.APOLOGISE
                if self._line is not None:
                    await self._line.close(LineClose.CALL_OVER)
                raise
            finally:
                self._set_timer(None)
                self._spans.close()
                self._parts.metrics.playout_counts(self._playout.counts)
                self._parts.metrics.frames_dropped(self._dropped, "faster than real time")
                self._parts.metrics.frames_dropped(self._tape.lost, "no orchestrator")
                _log.info(
                    "call over",
                    reason=enum_name(conv.EndReason, self._end_reason, "END_REASON_"),
                    then=self._call.next.name,
                )

    async def _talk(self) -> None:
        ended = await self._conversation.run()
        if ended is ConversationEnd.LOST:
            self.finish(Next.APOLOGISE, conv.END_REASON_FAILED)
        elif ended is ConversationEnd.AGENT_ENDED and self._agent_ended_at is None:
            self._agent_ended_at = self._clock()
        self._work.set()

    async def _pump(self) -> None:
        """The line's one writer."""
        while True:
            await self._work.wait()
            self._work.clear()
            now = self._clock()
            line = self._line
            commands = self._playout.poll(now)
            self._tell(now)
            if commands and line is not None:
                self._sending_since = now
                await line.perform(commands)
                self._sending_since = None
            self._look_for_the_end(now)
            self._look_again()

    async def _watch(self) -> None:
        """Timeouts that no message announces."""
        while True:
            await asyncio.sleep(_WATCH_EVERY_S)
            now = self._clock()
            self._conversation.break_if_stalled(now)
            if self._control.pending or self._agent_ended_at is not None:
                self._work.set()
            line = self._line
            if line is None:
                if self._line_lost_at is not None and now - self._line_lost_at > self._stream.resume_wait_s:
                    self.finish(Next.APOLOGISE, conv.END_REASON_LINE_LOST)
            elif now - self._line_heard_at > self._stream.idle_s:
                _log.warning("line idle", seconds=round(now - self._line_heard_at, 1))
                self.line_lost(line)
                await line.close(LineClose.IDLE)
            elif self._sending_since is not None and now - self._sending_since > self._stream.stall_s:
                _log.warning("line does not read", seconds=round(now - self._sending_since, 1))
                self.line_lost(line)
                await line.close(LineClose.STALLED)

    # ----------------------------------------------------------------------------------------------------- inside

    def _start_message(self) -> conv.Start:
        settings = self._parts.settings
        return conv.Start(
            call_id=self._call.call_id,
            caller=self._call.caller,
            dialled=self._call.dialled,
            direction=conv.DIRECTION_INBOUND,
            caller_formats=[MULAW_8K],
            agent_formats=[MULAW_8K],
            capabilities=conv.Capabilities(
                marks=True,
                transfer=bool(settings.transfer.targets),
                max_playout_ahead=duration(settings.playout.max_ahead_ms / 1000),
            ),
            language=settings.orchestrator.language,
            profile=settings.orchestrator.profile,
            call_trace=trace_of(self._call.setup_span),
        )

    def _tell(self, now: float) -> None:
        """Pass on what the playout has to say."""
        for news in self._playout.take_news():
            self._spans.tell(news)
            if isinstance(news, PlaybackReport):
                self._conversation.report(
                    conv.Playback(
                        playout_id=news.playout_id,
                        mark=news.mark,
                        status=_STATUS[news.heard],
                        position=duration(news.position_s),
                        estimated=news.estimated,
                        offset=duration(self._tape.position_s),
                        last=news.last,
                    )
                )

    def _look_for_the_end(self, now: float) -> None:
        order = self._control.due(is_over=self._playout.is_over, silent=self._playout.idle, now=now)
        if order is not None:
            self._carry_out(order)
        elif self._agent_ended_at is not None:
            waited_s = now - self._agent_ended_at
            if self._playout.idle or self._line is None or waited_s > _LAST_WORDS_S:
                self.finish(Next.HANG_UP, self._end_reason or conv.END_REASON_AGENT_HUNG_UP)

    def _carry_out(self, order: Order) -> None:
        self._conversation.answer(done(order))
        if isinstance(order, HangUp):
            self.finish(Next.HANG_UP, order.reason or conv.END_REASON_AGENT_HUNG_UP)
        else:
            self._call.dial_number = order.number
            self.finish(Next.DIAL, conv.END_REASON_TRANSFERRED)

    def _look_again(self) -> None:
        """See to it that the pump runs when the playout next has something to do, and not before."""
        now = self._clock()
        at = self._playout.wake_at(now)
        if at is not None and at <= now:
            self._set_timer(None)
            self._work.set()
        elif at is None or self._timer_at is None or abs(at - self._timer_at) > _SAME_MOMENT_S:
            self._set_timer(at)

    def _set_timer(self, at: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        # Kept beside the handle, because a handle of uvloop's may not know its own time.
        self._timer_at = at
        if at is not None:
            self._timer = asyncio.get_running_loop().call_at(at, self._timer_fired)

    def _timer_fired(self) -> None:
        self._timer = self._timer_at = None
        self._work.set()
