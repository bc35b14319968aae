"""The gateway as a process: wires the parts, serves, drains."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc.aio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.call_log import CallLogs
from gateway.call_session import SessionParts
from gateway.calls import CallRegistry
from gateway.listening import bind, serving
from gateway.observing import GatewayMetrics
from gateway.settings import GatewaySettings
from gateway.switchboard import Switchboard
from gateway.twilio import twilio_routes
from parley.conversation.v1 import conversation_pb2_grpc as conv_grpc
from servicekit.channels import open_channel
from servicekit.logs import get_logger
from servicekit.process import Process
from servicekit.server import Slots
from servicekit.startup import StartupError

_log = get_logger(__name__)

_LAST_REQUEST_S = 3.0
_CONVERSATION = "parley.conversation.v1.Conversation"


async def run(process: Process[GatewaySettings]) -> None:
    """Serve until `process.stopping`, then drain: not ready, no new calls, live calls finish, stop."""
    settings = process.settings
    listener = bind(settings.listen)
    host, port = listener.getsockname()[:2]
    # `{port}` lets a gateway that chose its own port be tried on one machine.
    public_url = settings.public_url.replace("{port}", str(port))
    slots = Slots(settings.max_calls)
    slots.observe(process.telemetry)
    clock = asyncio.get_running_loop().time
    metrics = GatewayMetrics(process.telemetry, live_calls=lambda: slots.in_use)
    async with (
        _call_logs(settings) as call_logs,
        open_channel(settings.orchestrator.target, service=_CONVERSATION) as channel,
    ):
        parts = SessionParts(
            settings=settings,
            stub=conv_grpc.ConversationStub(channel),
            telemetry=process.telemetry,
            metrics=metrics,
            call_logs=call_logs,
            clock=clock,
        )
        switchboard = Switchboard(CallRegistry(slots, clock=clock), parts)
        routes = _own_routes(switchboard, channel)
        if settings.twilio.enabled:
            routes += twilio_routes(switchboard, settings=settings, public_url=public_url, metrics=metrics)
            _say_who_may_call(settings)
        async with (
            _running(switchboard),
            serving(Starlette(routes=routes), listener, web=settings.web, stream=settings.stream),
        ):
            process.report_ready(http=f"{host}:{port}")
            await process.stopping.wait()
            await _drain(switchboard, slots, settings)


def _own_routes(switchboard: Switchboard, channel: grpc.aio.Channel) -> list[BaseRoute]:
    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(_request: Request) -> Response:
        # The orchestrator is told of, not waited for: a gateway without one still answers the telephone, holds the
        # caller for a while and apologises, which is better than a number that does not answer.
        state = channel.get_state(try_to_connect=True).name.lower()
        body = {"ready": not switchboard.draining, "calls": switchboard.registry.live, "orchestrator": state}
        return JSONResponse(body, status_code=503 if switchboard.draining else 200)

    return [Route("/healthz", healthz), Route("/readyz", readyz)]


@asynccontextmanager
async def _call_logs(settings: GatewaySettings) -> AsyncIterator[CallLogs | None]:
    if not settings.call_log:
        yield None
        return
    try:
        logs = CallLogs(Path(settings.call_log))
    except OSError as error:
        raise StartupError(f"gateway.call_log: the folder cannot be made: {error.strerror or error}") from error
    try:
        yield logs
    finally:
        await asyncio.to_thread(logs.close)


@asynccontextmanager
async def _running(switchboard: Switchboard) -> AsyncIterator[None]:
    task = asyncio.create_task(switchboard.run(), name="switchboard")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _drain(switchboard: Switchboard, slots: Slots, settings: GatewaySettings) -> None:
    switchboard.draining = True
    _log.info("draining", calls=slots.in_use, timeout_s=settings.drain.timeout_s)
    await asyncio.sleep(settings.drain.notice_s)
    try:
        async with asyncio.timeout(settings.drain.timeout_s):
            await slots.wait_idle()
    except TimeoutError:
        _log.warning("calls are cut off", calls=slots.in_use)
        switchboard.end_all()
        try:
            async with asyncio.timeout(5.0):
                await slots.wait_idle()
        except TimeoutError:
            _log.warning("calls did not end", calls=slots.in_use)
        return
    # A stream that ended has the carrier ask once more how the call goes on: be there to say it.
    while switchboard.registry.awaits_last_request(for_s=_LAST_REQUEST_S):  # noqa: ASYNC110 - once, at the end
        await asyncio.sleep(0.05)


def _say_who_may_call(settings: GatewaySettings) -> None:
    if settings.inbound.policy == "disabled":
        _log.warning(
            "every call is refused",
            why='gateway.inbound.policy is "disabled"',
            remedy='set it to "allowlist" with gateway.inbound.allow, or to "open"',
        )
