"""The demo brain as a server in this process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from typing import Final

import uvicorn

from toolbox.demo_brain.app import ChatApp, Clocks, Pace
from toolbox.demo_brain.requests import RequestLog

_REMEMBERED: Final = 1000


class DemoBrain:
    """A small OpenAI-compatible model server with a handful of intents, in place of a language model.

    It answers the demo and the tests over real HTTP, so that the client path is the one a real model gets. `requests`
    holds what it was asked, newest last.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        pace: Pace | None = None,
        api_key: str = "",
        now: Callable[[], datetime] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Port 0 takes a free one. `now` is the time it tells: the machine's local time unless given."""
        self._host = host
        self._port = port
        self._pace = pace or Pace()
        self._api_key = api_key
        self._clocks = Clocks(now=now or (lambda: datetime.now().astimezone()), monotonic=monotonic, sleep=sleep)
        self._app: ChatApp | None = None
        self._server: _EmbeddedServer | None = None
        self._serving: asyncio.Task[None] | None = None
        self.requests = RequestLog(_REMEMBERED)
        self.base_url = ""

    async def start(self) -> str:
        """Listen; returns the base URL, ending in /v1.

        Raises:
            OSError: the port is taken.
        """
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((self._host, self._port))
        except OSError:
            listening.close()
            raise
        self._app = ChatApp(pace=self._pace, clocks=self._clocks, api_key=self._api_key, log=self.requests)
        config = uvicorn.Config(
            self._app.asgi, lifespan="off", log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=2
        )
        self._server = _EmbeddedServer(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listening]), name="demo-brain")
        await self._server.listening.wait()
        host = f"[{self._host}]" if ":" in self._host else self._host
        self.base_url = f"http://{host}:{listening.getsockname()[1]}/v1"
        return self.base_url

    async def stop(self) -> None:
        """Cut the answers still being written, and close the port."""
        if self._app is None or self._server is None or self._serving is None:
            return
        self._app.stopping.set()
        self._server.should_exit = True
        await self._serving
        self._app = self._server = self._serving = None

    async def __aenter__(self) -> DemoBrain:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


class _EmbeddedServer(uvicorn.Server):
    """Uvicorn without its hold on the process's signals, telling when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.listening.set()
