"""A gRPC server from its port to its last stream."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from servicekit.channels import MAX_MESSAGE_BYTES
from servicekit.errors import Reason, abort
from servicekit.interceptors import server_interceptors
from servicekit.logs import get_logger
from servicekit.server.drain import DrainSettings
from servicekit.server.health import SERVICE_NAME, Health
from servicekit.server.slots import Lease, Slots
from servicekit.startup import StartupError
from servicekit.telemetry import Telemetry

_log = get_logger(__name__)

ServicerContext = grpc.aio.ServicerContext[Any, Any]

_STOP_GRACE_S = 0.5
"""For unary calls and last status messages under way when everything that holds a slot has ended."""
_UNWIND_S = 2.0
"""For servicers cancelled by the stop to give back their slots."""


class GrpcServer:
    """A server with health, reflection, spans, keepalive and message limits, which drains before it stops.

    ::

        server = GrpcServer(listen=…, telemetry=…, drain=…, services=["parley.stt.v1.SpeechToText"])
        stt_pb2_grpc.add_SpeechToTextServicer_to_server(servicer, server.grpc)
        address = await server.start()
        server.set_serving()
        await process.stopping.wait()
        await server.drain(slots=slots)
    """

    grpc: grpc.aio.Server
    """Where servicers are added."""

    def __init__(
        self,
        *,
        listen: str,
        telemetry: Telemetry,
        drain: DrainSettings,
        services: Sequence[str],
        listen_setting: str = "",
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        """Prepare; call within the running event loop.

        Args:
            listen: ``host:port`` (port 0 lets the system choose) or ``unix:path``.
            telemetry: Makes the servicers' spans.
            drain: How long the end may take.
            services: Full names of the services that will be added, for health and reflection.
            listen_setting: Dotted name of the setting that ``listen`` came from, for messages; by default that of
                the service that ``telemetry`` names, such as ``stt.listen`` for ``parley-stt``.
            max_message_bytes: Largest message taken or sent; larger ones end their RPC with RESOURCE_EXHAUSTED.
        """
        self._listen = listen
        self._drain = drain
        self._listen_setting = listen_setting or f"{telemetry.service.removeprefix('parley-')}.listen"
        self._health = Health(services)
        self._draining = False
        self._drained: asyncio.Task[None] | None = None
        self.grpc = grpc.aio.server(
            interceptors=server_interceptors(telemetry), options=server_options(max_message_bytes)
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.grpc)
        reflection.enable_server_reflection([*services, SERVICE_NAME, reflection.SERVICE_NAME], self.grpc)

    @property
    def draining(self) -> bool:
        """Whether new work must be refused with UNAVAILABLE and reason DRAINING."""
        return self._draining

    async def start(self) -> str:
        """Open the port and return its address; health reads NOT_SERVING until `set_serving`.

        Raises StartupError when the address cannot be had.
        """
        try:
            port = self.grpc.add_insecure_port(self._listen)
        except RuntimeError:
            port = 0
        if port == 0:
            raise StartupError(
                f"cannot listen on {self._listen}: the port is taken or the address is not this machine's - "
                f"change {self._listen_setting}"
            )
        await self.grpc.start()
        if self._listen.startswith(("unix:", "unix-abstract:")):
            return self._listen
        return f"{self._listen.rpartition(':')[0]}:{port}"

    def set_serving(self) -> None:
        """Report SERVING, overall and for each service; without effect once draining."""
        if not self._draining:
            self._health.set(serving=True)

    async def refuse_if_draining(self, context: ServicerContext) -> None:
        """Abort with UNAVAILABLE, reason DRAINING, when the server takes no new work; otherwise do nothing."""
        if self._draining:
            await abort(context, grpc.StatusCode.UNAVAILABLE, Reason.DRAINING, "the server is draining")

    async def admit(self, slots: Slots, context: ServicerContext) -> Lease:
        """Take a slot for an RPC, or abort it: DRAINING while draining, CAPACITY when all slots are taken."""
        await self.refuse_if_draining(context)
        lease = slots.take()
        if lease is None:
            await abort(
                context,
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                Reason.CAPACITY,
                f"all {slots.capacity} slots are taken",
                capacity=str(slots.capacity),
            )
        return lease

    async def drain(self, *, slots: Slots, go_away: Callable[[], Awaitable[None]] | None = None) -> None:
        """End the server: NOT_SERVING → pause → refuse → ``go_away`` → wait for ``slots`` → stop.

        ``go_away`` tells live peers to finish or to move; it shares ``drain.timeout_s`` with the wait. What then still
        runs is cancelled. Called again, or by several, it waits for the one drain.
        """
        if self._drained is None:
            self._drained = asyncio.get_running_loop().create_task(self._end(slots, go_away), name="drain")
        await asyncio.shield(self._drained)

    async def _end(self, slots: Slots, go_away: Callable[[], Awaitable[None]] | None) -> None:
        self._health.set(serving=False)
        if self._drain.notice_s > 0:
            await asyncio.sleep(self._drain.notice_s)
        self._draining = True
        _log.info("draining", live=slots.in_use, timeout_s=self._drain.timeout_s)
        finished = await self._wait(slots, go_away)
        self._health.close()
        if finished:
            _log.info("drained")
        else:
            _log.warning("drain timed out, live work is cancelled", live=slots.in_use)
        await self.grpc.stop(_STOP_GRACE_S if finished else 0)
        if not finished:
            try:
                await asyncio.wait_for(slots.wait_idle(), _UNWIND_S)
            except TimeoutError:
                _log.warning("slots were not given back", live=slots.in_use)

    async def _wait(self, slots: Slots, go_away: Callable[[], Awaitable[None]] | None) -> bool:
        """Whether all slots became free in time."""
        try:
            async with asyncio.timeout(self._drain.timeout_s):
                if go_away is not None:
                    try:
                        await go_away()
                    except Exception:
                        # Peers that could not be told still finish by themselves, or are cancelled in the end.
                        _log.exception("go_away failed")
                await slots.wait_idle()
        except TimeoutError:
            return slots.in_use == 0
        return True


def server_options(max_message_bytes: int = MAX_MESSAGE_BYTES) -> list[tuple[str, Any]]:
    """gRPC options of every server."""
    return [
        # Otherwise a second server binds the same port and takes half of the connections.
        ("grpc.so_reuseport", 0),
        # Clients of ours ping every 30 s and must not die of too_many_pings; a dead client is noticed likewise.
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.http2.max_pings_without_data", 0),
        # As in `channels`: with the probe, a peer that does not read lets megabytes of audio pile up.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", 16_384),
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", max_message_bytes),
    ]
