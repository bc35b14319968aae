"""Connects calls with sessions: admits them, starts a session for each, and sees that none is left behind."""

from __future__ import annotations

import asyncio

import grpc.aio
from opentelemetry.trace import Span

from gateway.call_session import CallSession, SessionParts
from gateway.calls import Call, CallRegistry, Next
from gateway.line import Line, LineClose
from gateway.observing import setup_span
from parley.conversation.v1 import conversation_pb2 as conv
from servicekit.logs import bind_call, get_logger

_log = get_logger(__name__)

_SWEEP_EVERY_S = 1.0
_RINGING_GRACE_S = 15.0
"""How long beyond its token's life a call may take from the webhook to its stream."""


class Switchboard:
    """Every call of this gateway, whoever its carrier is. Run `run` for as long as the gateway serves."""

    def __init__(self, registry: CallRegistry, parts: SessionParts) -> None:
        """The switchboard of the calls in `registry`."""
        self._registry = registry
        self._parts = parts
        self._tasks: asyncio.TaskGroup | None = None
        self._unanswered_s = parts.settings.stream.token_ttl_s + _RINGING_GRACE_S
        self.draining = False
        """Whether no more calls are taken."""

    @property
    def registry(self) -> CallRegistry:
        """The calls."""
        return self._registry

    async def run(self) -> None:
        """Own every session; free what never became one. Runs until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            while True:
                await asyncio.sleep(_SWEEP_EVERY_S)
                for call in self._registry.unanswered(for_s=self._unanswered_s):
                    with bind_call(call.call_id):
                        _log.warning("no stream came", seconds=self._unanswered_s)
                    self._registry.end(call)

    def admit(self, carrier_call_id: str, *, caller: str, dialled: str) -> Call | None:
        """A new call, or None when there is no room or the gateway is going down."""
        if self.draining:
            self._parts.metrics.call_refused("draining")
            return None

        def span(call_id: str) -> Span:
            return setup_span(self._parts.telemetry, call_id)

        call = self._registry.admit(carrier_call_id, caller=caller, dialled=dialled, setup_span=span)
        if call is None:
            self._parts.metrics.call_refused("full")
        return call

    async def prepare(self, call: Call) -> bool:
        """Tell the orchestrator that a call is coming. False only if it says that it has no room."""
        orchestrator = self._parts.settings.orchestrator
        request = conv.PrepareRequest(
            call_id=call.call_id, profile=orchestrator.profile, language=orchestrator.language
        )
        try:
            prepared = await self._parts.stub.Prepare(request, timeout=orchestrator.prepare_timeout_s)
        except grpc.aio.AioRpcError as error:
            # The call goes on: by the time it is connected an orchestrator may be back.
            _log.warning("orchestrator not prepared", status=error.code().name)
            return True
        return prepared.accepted

    def connect(self, call: Call, line: Line) -> CallSession | None:
        """The call's first stream: begin its session. None when the call is over or talks already."""
        if call.over or call.session is not None or self._tasks is None:
            return None
        session = CallSession(call, self._parts)
        call.session = session
        session.attach(line)
        self._tasks.create_task(self._hold(call, session), name=f"call-{call.call_id}")
        return session

    async def reconnect(self, call: Call, line: Line) -> CallSession | None:
        """Another stream of a call that talks: it takes the place of the one before. None when the call is over."""
        session = call.session
        if session is None:
            return self.connect(call, line)
        previous = session.attach(line)
        if previous is not None:
            await previous.close(LineClose.SUPERSEDED)
        return session

    def carrier_ended(self, call: Call) -> None:
        """The carrier says that the call is over, whatever its stream did."""
        if call.session is not None:
            call.session.finish(Next.HANG_UP, conv.END_REASON_CALLER_HUNG_UP)
        else:
            self._registry.end(call)

    def end_all(self) -> None:
        """The gateway stops now: end what still talks."""
        for call in self._registry:
            if call.session is not None:
                call.session.finish(Next.RECONNECT, conv.END_REASON_FAILED, LineClose.GOING_DOWN)
            elif not call.over:
                self._registry.end(call)

    async def _hold(self, call: Call, session: CallSession) -> None:
        try:
            await session.run()
        except Exception:
            # One call's misfortune is its own: the others go on, and this caller hears that something went wrong.
            _log.exception("call failed", call_id=call.call_id)
        finally:
            self._registry.end(call)
