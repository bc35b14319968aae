"""The public port: uvicorn inside our own event loop, with the deadlines and limits that it does not bring.

uvicorn waits for ever for a request that does not come, or comes byte by byte, and leaves a peer that has stopped
reading to TCP. Here a connection must bring a whole header and a whole body in time, only so many connections are
open at once, and an application can drop a socket that takes nothing any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gateway.settings import StreamSettings, WebSettings
from servicekit.startup import StartupError

ABORT_EXTENSION: Final = "parley.abort"
"""Name of the ASGI extension whose `abort` drops a socket at once, without sending what waits."""

_MAX_HEADER_BYTES: Final = 16_384
_SEND_BUFFER_BYTES: Final = 16_384
_WRITE_HIGH_WATER_BYTES: Final = 16_384
"""About 1.5 s of sound as Twilio's JSON: beyond it the writer waits."""


def request_protocol(web: WebSettings) -> type[H11Protocol]:
    """uvicorn's HTTP protocol with a deadline for the header and one for the body, and a cap on connections."""

    class DeadlineProtocol(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None
        _phase = ""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > web.max_connections:
                transport.abort()
                return
            self._watch_phase()

        def connection_lost(self, exc: Exception | None) -> None:
            self._enter("")
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch_phase()

        def _watch_phase(self) -> None:
            state = self.conn.their_state
            if self.transport.get_protocol() is not self or self.transport.is_closing():
                self._enter("")  # upgraded, or about to go
            elif state is h11.IDLE:
                self._enter("header")
            elif state is h11.SEND_BODY:
                self._enter("body")
            else:
                self._enter("")

        def _enter(self, phase: str) -> None:
            # The deadline is for the phase as a whole: bytes that trickle in do not extend it.
            if phase == self._phase:
                return
            self._phase = phase
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None
            if phase:
                seconds = web.header_deadline_s if phase == "header" else web.body_deadline_s
                self._deadline = self.loop.call_later(seconds, self._too_late)

        def _too_late(self) -> None:
            self._deadline = None
            self.transport.abort()

    return DeadlineProtocol


class MediaSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol with a small buffer towards the peer, and a way to drop it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound what waits in this process for a peer that does not read."""
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=_WRITE_HIGH_WATER_BYTES)

    async def run_asgi(self) -> None:
        """Run the application, which may abort."""
        extensions: dict[str, Any] = self.scope["extensions"]
        extensions[ABORT_EXTENSION] = {"abort": self.transport.abort}
        await super().run_asgi()


class _Server(uvicorn.Server):
    """uvicorn's server without its hand on the process's signals."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


def bind(listen: str) -> socket.socket:
    """A socket that listens at `host:port`; port 0 lets the system choose.

    Raises:
        StartupError: the address cannot be had.
    """
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted sockets inherit it: what the kernel holds for a peer that does not read is bounded too.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        listener.bind((host, int(port)))
    except OSError as error:
        listener.close()
        raise StartupError(f"gateway.listen: {listen} cannot be listened on: {error.strerror or error}") from error
    listener.setblocking(False)
    return listener


@contextlib.asynccontextmanager
async def serving(
    app: ASGIApp, listener: socket.socket, *, web: WebSettings, stream: StreamSettings
) -> AsyncIterator[None]:
    """Serve `app` on a bound socket for as long as the context lasts; then close what is still open."""
    config = uvicorn.Config(
        app,
        http=request_protocol(web),
        ws=MediaSocketProtocol,
        ws_max_size=stream.max_frame_bytes,
        ws_per_message_deflate=False,
        ws_ping_interval=stream.ping_interval_s,
        ws_ping_timeout=stream.ping_timeout_s,
        h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
        timeout_keep_alive=web.keep_alive_s,
        timeout_graceful_shutdown=2,
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        date_header=False,
        proxy_headers=False,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="public-port")
    up = asyncio.create_task(server.up.wait())
    try:
        await asyncio.wait({task, up}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
            raise StartupError("the public port could not be opened")
        yield
    finally:
        up.cancel()
        server.should_exit = True
        await task
