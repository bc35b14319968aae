"""A scripted orchestrator: a real gRPC server of `Conversation` that says what a test tells it to."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self

import grpc
import grpc.aio

from gateway.media_time import duration
from parley.conversation.v1 import conversation_pb2 as conv
from parley.conversation.v1 import conversation_pb2_grpc as conv_grpc
from servicekit.audio import MULAW_8K
from servicekit.errors import Reason, abort
from servicekit.protocol import ConverseOrder, OrderError

HANG_GUARD_S = 20.0
FRAME = 160
SPEECH = bytes((index * 37) % 200 for index in range(FRAME))
"""A frame of something that is not silence."""


class FakeConversation:
    """One `Converse` stream, seen from the orchestrator's side."""

    def __init__(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        self.start = conv.Start()
        self.events: list[conv.CallEvent] = []
        """Everything after `start`, in order."""
        self.audio: list[conv.CallerAudio] = []
        self.order = ConverseOrder()
        self.gone = asyncio.Event()
        """Set when the stream is over, however it ended."""
        self._context = context
        self._changed = asyncio.Condition()
        self._outbox: asyncio.Queue[conv.AgentEvent | grpc.StatusCode | None] = asyncio.Queue()
        self._seq: dict[int, int] = {}
        self._mark = 0
        self._control = 0
        self._ended = False

    # --------------------------------------------------------------------------------------------- what it says

    def send(self, **event: Any) -> None:
        """Send one agent event, given as the member of its oneof."""
        self._outbox.put_nowait(conv.AgentEvent(**event))

    def playout(self, playout_id: int, **more: Any) -> None:
        """Announce a playout."""
        self.send(playout=conv.Playout(playout_id=playout_id, kind=conv.PLAYOUT_KIND_REPLY, **more))

    def sound(self, playout_id: int, seconds: float, *, payload: bytes = SPEECH) -> None:
        """Send sound in frames of 20 ms."""
        for _ in range(round(seconds * 50)):
            seq = self._seq[playout_id] = self._seq.get(playout_id, 0) + 1
            self.send(audio=conv.AgentAudio(playout_id=playout_id, seq=seq, payload=payload))

    def mark(self, playout_id: int, *, last: bool = False) -> int:
        """Place the next mark; its number."""
        self._mark = max(self._mark, self.start.resume.highest_mark) + 1
        position = duration(self._seq.get(playout_id, 0) * 0.02)
        self.send(mark=conv.Mark(playout_id=playout_id, mark=self._mark, position=position, last=last))
        return self._mark

    def say(self, playout_id: int, seconds: float, **more: Any) -> int:
        """A whole playout with a mark each 200 ms; the number of its last mark."""
        self.playout(playout_id, **more)
        mark = 0
        steps = max(1, round(seconds / 0.2))
        for step in range(steps):
            self.sound(playout_id, seconds / steps)
            mark = self.mark(playout_id, last=step == steps - 1)
        return mark

    def clear(self, through: int) -> None:
        """Throw playouts away."""
        self.send(clear=conv.Clear(through_playout_id=through))

    def control(self, *, after: int = 0, **action: Any) -> int:
        """Give an order; its id."""
        self._control = max(self._control, self.start.resume.highest_call_control_id) + 1
        self.send(call_control=conv.CallControl(id=self._control, after_playout_id=after, **action))
        return self._control

    def die(self, code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> None:
        """End the stream with a status, without `end`."""
        self._outbox.put_nowait(code)

    def end(self, reason: conv.EndReason.ValueType = conv.END_REASON_AGENT_HUNG_UP) -> None:
        """End the conversation; the stream stays until the gateway has said its last word.

        A server that closes at once while its client still writes makes that client's write fail, and the failed write
        hides from the client what it had not read yet, this `end` included.
        """
        self._ended = True
        self.send(end=conv.AgentEnd(reason=reason))

    # ------------------------------------------------------------------------------------------- what it hears

    async def until(self, happened: Callable[[], Any]) -> Any:
        """Wait until the condition holds of what came; its value."""
        async with asyncio.timeout(HANG_GUARD_S), self._changed:
            while not (value := happened()):
                await self._changed.wait()
            return value

    async def expect(self, kind: str, nth: int = 1) -> Any:
        """The n-th event of a kind."""
        found = await self.until(lambda: self.of(kind)[nth - 1 : nth])
        return found[0]

    async def hears(self, nbytes: int = 1) -> bytes:
        """Wait for at least so much of the caller's sound; all of it."""
        await self.until(lambda: sum(len(piece.payload) for piece in self.audio) >= nbytes)
        return b"".join(piece.payload for piece in self.audio)

    async def playback_of(self, mark: int) -> conv.Playback:
        """The report of a mark."""
        found = await self.until(lambda: [each for each in self.of("playback") if each.mark == mark])
        return found[0]  # type: ignore[no-any-return]

    def of(self, kind: str) -> list[Any]:
        """Every event of a kind so far."""
        return [getattr(event, kind) for event in self.events if event.WhichOneof("event") == kind]

    # -------------------------------------------------------------------------------------------------- running

    async def read(self, requests: AsyncIterator[conv.CallEvent]) -> None:
        """Take what the gateway sends; an event out of order fails the RPC."""
        async for event in requests:
            kind = self.order.client(event)
            async with self._changed:
                if kind == "start":
                    self.start = event.start
                elif kind == "audio":
                    self.audio.append(event.audio)
                    self.events.append(event)
                else:
                    self.events.append(event)
                self._changed.notify_all()
            if kind == "end":
                if not self._ended:
                    self.send(end=conv.AgentEnd(reason=event.end.reason))
                self._outbox.put_nowait(None)

    async def write(self) -> None:
        """Send what the script says."""
        while (event := await self._outbox.get()) is not None:
            if isinstance(event, grpc.StatusCode):
                await abort(self._context, event, "", "as the script says")
            await self._context.write(event)


def _report(reader: asyncio.Task[None]) -> None:
    """A gateway that breaks the contract must not look like one that says nothing."""
    if not reader.cancelled() and isinstance(error := reader.exception(), OrderError):
        print(f"the gateway broke the contract: {error!r}", file=sys.stderr)  # noqa: T201


class FakeOrchestrator(conv_grpc.ConversationServicer):
    """Serves on loopback for as long as the context lasts. Accepts every call and then is silent, unless told else."""

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._server: grpc.aio.Server | None = None
        self._changed = asyncio.Condition()
        self.conversations: list[FakeConversation] = []
        self.prepared: list[str] = []
        self.room = True
        """What `Prepare` answers."""
        self.refusals: list[tuple[grpc.StatusCode, str]] = []
        """How the next streams are refused, one after another."""
        self.refuses: tuple[grpc.StatusCode, str] | None = None
        """How every stream is refused. A client may miss the status of a single one: its own failed write hides it."""
        self.reads_checkpoints = True
        self.readies = True
        """Whether streams get their `ready`."""
        self.address = ""

    async def __aenter__(self) -> Self:
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        conv_grpc.add_ConversationServicer_to_server(self, self._server)
        port = self._server.add_insecure_port(f"127.0.0.1:{self._port}")
        self.address = f"127.0.0.1:{port}"
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Die, with everything that is live."""
        if self._server is not None:
            await self._server.stop(None)

    async def conversation(self, nth: int | None = None) -> FakeConversation:
        """The n-th conversation since the beginning, from 1; by default the next one."""
        wanted = len(self.conversations) + 1 if nth is None else nth
        async with asyncio.timeout(HANG_GUARD_S), self._changed:
            await self._changed.wait_for(lambda: len(self.conversations) >= wanted)
        return self.conversations[wanted - 1]

    async def Prepare(  # noqa: N802 - the contract's name
        self, request: conv.PrepareRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> conv.PrepareResponse:
        """Answer whether there is room."""
        self.prepared.append(request.call_id)
        return conv.PrepareResponse(accepted=self.room)

    async def GetInfo(  # noqa: N802 - the contract's name
        self, request: conv.GetInfoRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> conv.GetInfoResponse:
        """Say what this is."""
        return conv.GetInfoResponse(contract="parley.conversation.v1", brain="script")

    async def Converse(  # type: ignore[override]  # noqa: N802 - the contract's name
        self, requests: AsyncIterator[conv.CallEvent], context: grpc.aio.ServicerContext[Any, Any]
    ) -> None:
        """Hold one stream."""
        if self.refusals or self.refuses is not None:
            code, reason = self.refuses or self.refusals.pop(0)
            await abort(context, code, reason, "as the script says")
        held = FakeConversation(context)
        reader = asyncio.create_task(held.read(requests))
        reader.add_done_callback(_report)
        try:
            await held.until(lambda: held.start.call_id)
            if held.start.resume.HasField("checkpoint") and not self.reads_checkpoints:
                await abort(context, grpc.StatusCode.INVALID_ARGUMENT, Reason.CHECKPOINT_UNREADABLE, "as told")
            if self.readies:
                resumed = held.start.HasField("resume")
                ready = conv.Ready(caller_format=MULAW_8K, agent_format=MULAW_8K, resumed=resumed)
                await context.write(conv.AgentEvent(ready=ready))
            async with self._changed:
                self.conversations.append(held)
                self._changed.notify_all()
            await held.write()
        finally:
            held.gone.set()
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
