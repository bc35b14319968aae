"""An ASGI application on a loopback port chosen by the system, inside the running event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Generator
from typing import Literal

import uvicorn
from starlette.types import ASGIApp


class _Embedded(uvicorn.Server):
    """uvicorn without its hand on the process's signals."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()
        self.leaving = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()

    async def main_loop(self) -> None:
        # uvicorn's own polls ten times a second, to date its headers and count requests: not needed here.
        await self.leaving.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class LoopbackServer:
    """Serves one application until it is stopped."""

    def __init__(self, app: ASGIApp, port: int = 0, *, ws: Literal["none", "websockets-sansio"] = "none") -> None:
        self._app = app
        self._port = port
        self._ws = ws
        self._server: _Embedded | None = None
        self._task: asyncio.Task[None] | None = None
        self._socket: socket.socket | None = None

    async def start(self) -> str:
        """Listen; returns the base URL.

        Raises:
            OSError: The port is taken.
        """
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", self._port))
        except OSError:
            listening.close()
            raise
        config = uvicorn.Config(
            self._app,
            log_config=None,
            access_log=False,
            date_header=False,
            lifespan="off",
            ws=self._ws,
            timeout_graceful_shutdown=1,
        )
        self._socket = listening
        self._server = _Embedded(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listening]))
        up = asyncio.create_task(self._server.is_up.wait())
        try:
            await asyncio.wait({self._task, up}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            up.cancel()
            await asyncio.gather(up, return_exceptions=True)
        if self._task.done():
            self._task.result()
        return f"http://127.0.0.1:{listening.getsockname()[1]}"

    async def stop(self) -> None:
        """Stop listening and end."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            self._server.leaving.set()
            await self._task
            self._server = self._task = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None
