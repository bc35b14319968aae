"""``grpc.health.v1.Health``, set from plain code and ended before the server.

grpcio-health-checking's own asyncio servicer is set by awaiting a lock, and its watchers live until the server cancels
them: every client channel with health checks holds one, so a graceful stop would always wait out its grace.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

SERVICE_NAME = "grpc.health.v1.Health"


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """Health of the server as a whole (the empty name) and of each of its services; all of one state."""

    def __init__(self, services: Sequence[str]) -> None:
        """Answer for ``services`` by full name; NOT_SERVING until told otherwise."""
        self._services = frozenset(("", SERVICE_NAME, *services))
        self._serving = False
        self._closed = False
        self._changed = asyncio.Event()

    def set(self, *, serving: bool) -> None:
        """Change every service's state and tell those who watch."""
        self._serving = serving
        self._tell()

    def close(self) -> None:
        """End every watch, now and from now on."""
        self._closed = True
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _status(self, service: str) -> health_pb2.HealthCheckResponse:
        if service not in self._services:
            return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVICE_UNKNOWN)
        states = health_pb2.HealthCheckResponse
        return states(status=states.SERVING if self._serving else states.NOT_SERVING)

    async def Check(  # noqa: N802 - the contract's name
        self, request: health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> health_pb2.HealthCheckResponse:
        """Answer once; NOT_FOUND for a service that is not here."""
        if request.service not in self._services:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
        return self._status(request.service)

    async def Watch(  # noqa: N802 - the contract's name
        self, request: health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """Answer at once and after every change, until the server ends."""
        last = None
        while True:
            changed, status, closed = self._changed, self._status(request.service), self._closed
            if status != last:
                last = status
                yield status
            if closed:
                return
            if changed is self._changed:
                await changed.wait()
