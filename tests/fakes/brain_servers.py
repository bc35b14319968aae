"""Model servers that misbehave on demand: real sockets, HTTP written by hand so that every fault can be made."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Act: TypeAlias = "Callable[[FakeExchange], Awaitable[None]]"


@dataclass(eq=False)
class FakeExchange:
    """One request to a `FakeBrainServer`, and the means to answer it badly."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    keep: bool = False

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self, status: int = 200, content_type: str = "text/event-stream", **headers: str) -> None:
        lines = [f"HTTP/1.1 {status} Whatever", f"content-type: {content_type}", "transfer-encoding: chunked"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.send("\r\n".join(lines).encode() + b"\r\n\r\n")

    async def part(self, data: bytes) -> None:
        """One HTTP chunk of the body."""
        await self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def end(self) -> None:
        """A proper end of the body; the connection stays open for the next request."""
        self.keep = True
        await self.send(b"0\r\n\r\n")

    async def until_gone(self) -> None:
        """Wait, saying nothing, until the client closes the socket."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(1024):
                pass
        self.gone.set()


def data(value: object) -> bytes:
    """A server-sent event."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def delta(content: str | None = None, *, finish: str | None = None, **more: object) -> bytes:
    """A chunk of a chat completion as an event."""
    change: dict[str, object] = dict(more) if content is None else {"content": content, **more}
    return data({"model": "fake", "choices": [{"index": 0, "delta": change, "finish_reason": finish}]})


DONE = b"data: [DONE]\n\n"
ROLE = delta(role="assistant")


def streaming(*events: bytes) -> Act:
    """Send events, one HTTP chunk each, and end the body properly."""

    async def act(exchange: FakeExchange) -> None:
        await exchange.head()
        for event in events:
            await exchange.part(event)
        await exchange.end()

    return act


def streaming_then_silent(*events: bytes) -> Act:
    """Send events, then nothing until the client goes."""

    async def act(exchange: FakeExchange) -> None:
        await exchange.head()
        for event in events:
            await exchange.part(event)
        await exchange.until_gone()

    return act


def streaming_then_breaking(*events: bytes) -> Act:
    """Send events, then drop the connection in the middle of the body."""

    async def act(exchange: FakeExchange) -> None:
        await exchange.head()
        for event in events:
            await exchange.part(event)

    return act


def endless(event: bytes) -> Act:
    """Send the same event until the client goes."""

    async def act(exchange: FakeExchange) -> None:
        await exchange.head()
        try:
            while not exchange.writer.is_closing():
                await exchange.part(event)
                await asyncio.sleep(0)
        except ConnectionError:
            pass
        exchange.gone.set()

    return act


async def silent(exchange: FakeExchange) -> None:
    """Accept the request and say nothing, not even a header."""
    await exchange.until_gone()


async def hanging_up(exchange: FakeExchange) -> None:
    """Close the connection without an answer."""


def status(code: int, body: object = None, **headers: str) -> Act:
    """An HTTP error, with the endpoint's own words."""

    async def act(exchange: FakeExchange) -> None:
        await exchange.head(code, "application/json", **headers)
        await exchange.part(json.dumps(body or {"error": {"message": "secret words"}}).encode())
        await exchange.end()

    return act


def whole(body: object) -> Act:
    """A whole JSON body instead of a stream."""
    return status(200, body)


class FakeBrainServer:
    """Answers its requests with the given acts, one after the other; the last one again and again."""

    def __init__(self, *acts: Act) -> None:
        self._acts = list(acts)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = asyncio.Condition()
        self.requests: list[FakeExchange] = []
        self.connections = 0
        self.base_url = ""

    async def __aenter__(self) -> FakeBrainServer:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.base_url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def request(self, number: int) -> FakeExchange:
        """The request of this number, from 1, when it comes."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.requests) >= number)
        return self.requests[number - 1]

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (exchange := await self._read(reader, writer)) is not None:
                number = len(self.requests)
                async with self._news:
                    self.requests.append(exchange)
                    self._news.notify_all()
                await self._acts[min(number, len(self._acts) - 1)](exchange)
                if not exchange.keep:
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> FakeExchange | None:
        try:
            first = await reader.readexactly(1)
            if first == b"\x16":  # A TLS greeting, which this server does not understand, as plain ones don't.
                writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                return None
            head = (first + await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:
            return None
        request_line, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return FakeExchange(request_line.split(" ")[1], headers, json.loads(body or b"{}"), reader, writer)
