"""A call's conversation with the orchestrator, over as many `Converse` streams as it takes.

One writer and one reader for each stream. When a stream breaks or its server says that it goes down, the call is
opened again, wherever there is an orchestrator, with what the `CallMemory` and the `CallerTape` hold; the caller
notices a pause at most. Only when nobody answers for `patience_s` is the conversation given up.
"""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

import grpc
import grpc.aio

from gateway.call_memory import CallMemory
from gateway.caller_audio import CallerTape
from gateway.media_time import duration, in_seconds
from gateway.settings import OrchestratorSettings
from parley.conversation.v1 import conversation_pb2 as conv
from parley.conversation.v1 import conversation_pb2_grpc as conv_grpc
from servicekit.errors import Reason, reason_of
from servicekit.logs import get_logger

ConverseCall: TypeAlias = grpc.aio.StreamStreamCall[conv.CallEvent, conv.AgentEvent]

_log = get_logger(__name__)

_FATAL: Final = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
}
_PAUSES_S: Final = (0.0, 0.1, 0.2, 0.4, 0.8, 1.0)
_GOODBYE_S: Final = 2.0
"""How long the orchestrator may take to end its side after ours."""
_SETTLED_S: Final = 3.0
"""A stream that lived so long ends an outage; one that dies sooner is part of it."""
_MAX_EVENTS_WAITING: Final = 1_000


class ConversationEnd(enum.Enum):
    """How a conversation ended."""

    FINISHED = "we ended it"
    AGENT_ENDED = "the orchestrator ended it"
    LOST = "no orchestrator could be reached"


class _StreamEnd(enum.Enum):
    FINISHED = enum.auto()
    AGENT_ENDED = enum.auto()
    BROKEN = enum.auto()
    HANDED_OVER = enum.auto()
    REFUSED = enum.auto()


class ConversationListener(Protocol):
    """Who is told what the orchestrator says. Called on the event loop; must not block."""

    def agent_said(self, kind: str, event: conv.AgentEvent) -> None:
        """An agent event, `kind` being the member of its oneof."""

    def conversation_opened(self, *, resumed: bool) -> None:
        """A stream was accepted."""

    def conversation_broke(self) -> None:
        """The stream is gone and will be opened again: settle what was heard of its audio before this returns."""


class Conversation:
    """Run `run` in a task; put events in at any time."""

    def __init__(
        self,
        stub: conv_grpc.ConversationAsyncStub,
        *,
        start: conv.Start,
        tape: CallerTape,
        memory: CallMemory,
        settings: OrchestratorSettings,
        listener: ConversationListener,
        clock: Callable[[], float],
    ) -> None:
        """`start` is what the first stream begins with; `clock` is monotonic, in seconds."""
        self._stub = stub
        self._start = start
        self._tape = tape
        self._memory = memory
        self._settings = settings
        self._listener = listener
        self._clock = clock
        self._waiting: deque[conv.CallEvent] = deque(maxlen=_MAX_EVENTS_WAITING)
        self._work = asyncio.Event()
        self._finishing = asyncio.Event()
        self._end: conv.CallEnd | None = None
        self._call: ConverseCall | None = None
        self._open = False
        self._ever_open = False
        self._handing_over = False
        self._opened_at = 0.0
        self._writing_since: float | None = None

    # --------------------------------------------------------------------------------------------- from the call

    @property
    def open(self) -> bool:
        """Whether an orchestrator holds the conversation right now."""
        return self._open

    def audio_came(self) -> None:
        """The tape holds something new."""
        if self._open:
            self._work.set()

    def put(self, event: conv.CallEvent) -> None:
        """Send an event as soon as a stream is open, ahead of audio that waits."""
        self._waiting.append(event)
        self._work.set()

    def report(self, playback: conv.Playback) -> None:
        """Send a playback report; without a stream it reaches the successor in its `Resume`."""
        self._memory.reported(playback)
        if self._open:
            self.put(conv.CallEvent(playback=playback))

    def answer(self, result: conv.CallControlResult) -> None:
        """Send the result of an order; without a stream it reaches the successor in its `Resume`."""
        self._memory.answered(result)
        if self._open:
            self.put(conv.CallEvent(call_control_result=result))

    def finish(self, reason: conv.EndReason.ValueType) -> None:
        """The call is over: `run` returns soon."""
        if self._end is None:
            self._end = conv.CallEnd(reason=reason)
            self._finishing.set()
            self._work.set()

    def break_if_stalled(self, now: float) -> None:
        """Give the stream up if its server has taken nothing for too long."""
        since = self._writing_since
        if since is not None and now - since > self._settings.write_stall_s and self._call is not None:
            _log.warning("orchestrator_stalled", seconds=round(now - since, 1))
            self._call.cancel()

    # ---------------------------------------------------------------------------------------------------- running

    async def run(self) -> ConversationEnd:
        """Hold the conversation until either side ends it or no orchestrator can be found."""
        lost_at = self._clock()
        attempt = 0
        while True:
            ended = await self._one_stream(self._start_message())
            lived_s = self._clock() - self._opened_at if self._opened_at else 0.0
            if ended is _StreamEnd.FINISHED or self._end is not None:
                return ConversationEnd.FINISHED
            if ended is _StreamEnd.AGENT_ENDED:
                return ConversationEnd.AGENT_ENDED
            if ended is _StreamEnd.REFUSED:
                return ConversationEnd.LOST
            if lived_s >= _SETTLED_S or ended is _StreamEnd.HANDED_OVER:
                lost_at, attempt = self._clock(), 0
            if self._opened_at:
                self._listener.conversation_broke()
                self._tape.rewind()
            pause_s = _PAUSES_S[min(attempt, len(_PAUSES_S) - 1)]
            attempt += 1
            if self._clock() - lost_at + pause_s > self._settings.patience_s:
                return ConversationEnd.LOST
            if await self._finishing_within(pause_s):
                return ConversationEnd.FINISHED

    def _start_message(self) -> conv.CallEvent:
        start = conv.Start()
        start.CopyFrom(self._start)
        if self._ever_open:
            start.resume.CopyFrom(self._memory.resume())
        return conv.CallEvent(start=start)

    async def _one_stream(self, start: conv.CallEvent) -> _StreamEnd:
        self._opened_at = 0.0
        self._handing_over = False
        call: ConverseCall = self._stub.Converse()
        self._call = call
        tasks = [asyncio.create_task(self._write(call, start), name="converse-writer")]
        try:
            return await self._read(call, tasks)
        except grpc.aio.AioRpcError as error:
            return self._broken(error)
        except TimeoutError:
            _log.warning("orchestrator_not_ready", seconds=self._settings.ready_timeout_s)
            return _StreamEnd.BROKEN
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # Not this task was cancelled, but the RPC: by `break_if_stalled`, or at the end of a long goodbye.
            return _StreamEnd.HANDED_OVER if self._handing_over else _StreamEnd.BROKEN
        finally:
            self._open = False
            self._call = None
            self._writing_since = None
            call.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # ---------------------------------------------------------------------------------------------------- reading

    async def _read(self, call: ConverseCall, tasks: list[asyncio.Task[None]]) -> _StreamEnd:
        # A deadline around read() cancels the whole RPC: here, and only here, that is what it should do.
        async with asyncio.timeout(self._settings.ready_timeout_s):
            first = await call.read()
        if not isinstance(first, conv.AgentEvent) or first.WhichOneof("event") != "ready":
            return await self._closed(call, agent_ended=False)
        self._open = self._ever_open = True
        self._opened_at = self._clock()
        self._work.set()
        self._listener.conversation_opened(resumed=first.ready.resumed)
        agent_ended = False
        while True:
            event = await call.read()
            if not isinstance(event, conv.AgentEvent):
                return await self._closed(call, agent_ended=agent_ended)
            kind = event.WhichOneof("event")
            if kind is None:
                continue  # something that a later version says
            if kind == "go_away":
                tasks.append(asyncio.create_task(self._hand_over(in_seconds(event.go_away.within)), name="hand-over"))
                continue
            if kind == "end":
                if self._handing_over:
                    continue  # the end of this stream, not of the conversation
                agent_ended = True
            elif kind != "audio":
                self._memory.observe(kind, event)
                if kind == "checkpoint":
                    self._tape.forget_before(self._memory.covered_s)
            self._listener.agent_said(kind, event)

    async def _closed(self, call: ConverseCall, *, agent_ended: bool) -> _StreamEnd:
        """The server ended the stream; its status says how it was meant."""
        code = await call.code()
        if self._handing_over:
            return _StreamEnd.HANDED_OVER
        if self._end is not None:
            return _StreamEnd.FINISHED
        if agent_ended:
            return _StreamEnd.AGENT_ENDED
        _log.warning("conversation_broke", status=code.name)
        return _StreamEnd.BROKEN

    def _broken(self, error: grpc.aio.AioRpcError) -> _StreamEnd:
        reason = reason_of(error)
        if self._handing_over:
            return _StreamEnd.HANDED_OVER
        _log.warning("conversation_broke", status=error.code().name, reason=reason)
        if reason == Reason.CHECKPOINT_UNREADABLE:
            self._memory.drop_checkpoint()
            return _StreamEnd.BROKEN
        # A stream that was open may break for a message out of order: another one can do better. One that was never
        # opened and is called impossible stays so.
        if error.code() in _FATAL and not self._opened_at:
            return _StreamEnd.REFUSED
        return _StreamEnd.BROKEN

    # ---------------------------------------------------------------------------------------------------- writing

    async def _write(self, call: ConverseCall, start: conv.CallEvent) -> None:
        try:
            await call.write(start)
            while not (self._open or self._end is not None):
                await self._wait_for_work()
            while self._end is None or self._waiting:
                if self._waiting:
                    await self._send(call, self._waiting.popleft())
                elif (piece := self._tape.next_unsent()) is not None:
                    audio = conv.CallerAudio(
                        seq=piece.seq, offset=duration(self._tape.seconds(piece)), payload=piece.payload
                    )
                    await self._send(call, conv.CallEvent(audio=audio))
                elif self._handing_over:
                    break
                else:
                    await self._wait_for_work()
            end = self._end or conv.CallEnd(reason=conv.END_REASON_HANDED_OVER)
            await self._send(call, conv.CallEvent(end=end))
            await call.done_writing()
            await asyncio.sleep(_GOODBYE_S)
            call.cancel()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError, grpc.aio.UsageError):
            # The stream is dead; the reader knows why.
            return

    async def _send(self, call: ConverseCall, event: conv.CallEvent) -> None:
        self._writing_since = self._clock()
        await call.write(event)
        self._writing_since = None

    async def _wait_for_work(self) -> None:
        await self._work.wait()
        self._work.clear()

    async def _hand_over(self, within_s: float) -> None:
        """The server goes down: leave as soon as another one takes the call, or shortly before it is gone."""
        deadline = self._clock() + max(0.0, within_s - 1.0)
        request = conv.PrepareRequest(call_id=self._start.call_id, profile=self._start.profile)
        while self._clock() < deadline:
            try:
                prepared = await self._stub.Prepare(request, timeout=self._settings.prepare_timeout_s)
                if prepared.accepted:
                    break
            except grpc.aio.AioRpcError:
                pass
            if await self._finishing_within(0.25):
                return
        _log.info("conversation_handed_over")
        self._handing_over = True
        self._work.set()

    async def _finishing_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._finishing.wait()
        except TimeoutError:
            return False
        return True
