"""What fake servers with one of OpenAI's speech APIs have in common: requests, answers, and ways to fail.

Real sockets, HTTP written by hand so that every fault can be made.
"""

from __future__ import annotations

import asyncio
import json
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Self, TypeVar


@dataclass(eq=False)
class FakeRequest:
    """One request, and the means to answer it."""

    headers: dict[str, str]
    content: bytes = field(repr=False)
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    keep: bool = False
    """Whether the connection is kept for the next one."""

    async def send(self, body: bytes, status: int = 200, content_type: str = "application/json", **more: str) -> None:
        """Answer at once and whole."""
        lines = [f"HTTP/1.1 {status} Whatever", f"content-type: {content_type}", f"content-length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in more.items()]
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await self.writer.drain()
        self.keep = True

    async def begin(self, content_type: str = "audio/pcm") -> None:
        """Answer in chunks: the head of it."""
        self.writer.write(
            f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
        )
        await self.writer.drain()

    async def chunk(self, data: bytes) -> None:
        """The next chunk; an empty one ends the answer."""
        self.writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        await self.writer.drain()
        self.keep = not data

    async def until_gone(self) -> None:
        """Wait, saying nothing, until the client closes the socket."""
        try:
            while await self.reader.read(1024):
                pass
        except ConnectionError:
            pass
        self.gone.set()


R = TypeVar("R", bound=FakeRequest)


def answering(
    body: object, status: int = 200, content_type: str = "application/json", **more: str
) -> Callable[[FakeRequest], Awaitable[None]]:
    """Answer with a body: bytes as they are, anything else as JSON."""

    async def act(request: FakeRequest) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        await request.send(data, status, content_type, **more)

    return act


def failing(status: int, **more: str) -> Callable[[FakeRequest], Awaitable[None]]:
    """An HTTP error in the server's own words, which quote what is private."""
    return answering({"error": {"message": "you sent: secret words"}}, status, **more)


async def silent(request: FakeRequest) -> None:
    """Accept the request and say nothing, not even a header."""
    await request.until_gone()


async def hanging_up(request: FakeRequest) -> None:
    """Close the connection without an answer."""


class FakeOpenAIServer(Generic[R]):
    """Answers as one kind of server does; ``then`` sets how the next requests are answered instead."""

    path: str
    """Where its work is asked for."""
    kind: type[R]

    def __init__(self, *, key: str = "", models: Sequence[str] = ()) -> None:
        self.key = key
        self.models = models
        self.requests: list[R] = []
        self.connections = 0
        self.root = ""
        self._acts: list[Callable[[R], Awaitable[None]]] = []
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = asyncio.Condition()

    def then(self, *acts: Callable[[R], Awaitable[None]]) -> None:
        """Answer the next requests so, one after the other; those after them properly again."""
        self._acts += acts

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.root = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Listen no more and drop every connection."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def request(self, number: int) -> R:
        """The request of this number, from 1, when it comes."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.requests) >= number)
        return self.requests[number - 1]

    def listing(self, path: str) -> object | None:
        """What GET of a path answers; None where there is nothing."""
        if path == "/v1/models":
            return {"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]}
        return None

    @abstractmethod
    async def work(self, request: R) -> None:
        """Do what is asked, properly."""

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._tasks.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                request_line, *lines = head.strip().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                content = await reader.readexactly(int(headers.get("content-length", "0")))
                method, path, _ = request_line.split(" ")
                request = self.kind(headers, content, reader, writer)
                await self._answer(method, path, request)
                if not request.keep:
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, method: str, path: str, request: R) -> None:
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            await failing(401)(request)
        elif method == "GET" and (listed := self.listing(path)) is not None:
            await answering(listed)(request)
        elif (method, path) == ("POST", self.path):
            async with self._news:
                self.requests.append(request)
                self._news.notify_all()
            await (self._acts.pop(0) if self._acts else self.work)(request)
        else:
            await failing(404)(request)
