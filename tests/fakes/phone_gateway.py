"""A scripted gateway for the telephone in a box: answers webhooks with given TwiML, streams as a test says."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from twilio.request_validator import RequestValidator

from toolbox.phone.server import LoopbackServer

TOKEN = "12345"
OUR_NUMBER = "+15005550001"
CALLER = "+15005550006"


@dataclass
class FakeRequest:
    """One webhook or callback as it arrived."""

    path: str
    method: str
    form: dict[str, str]
    headers: dict[str, str]
    signed: bool


Reply = str | bytes | Response | Callable[[FakeRequest], str | Response]


@dataclass
class FakeStream:
    """The server's side of one stream."""

    socket: WebSocket
    headers: list[tuple[str, str]]
    messages: list[dict[str, Any]] = field(default_factory=list)
    start: dict[str, Any] = field(default_factory=dict)

    @property
    def sid(self) -> str:
        """The stream's identifier, known after `start`."""
        return str(self.start["streamSid"])

    async def receive(self) -> dict[str, Any]:
        """The next message; WebSocketDisconnect at the end."""
        message = json.loads(await self.socket.receive_text())
        self.messages.append(message)
        if message["event"] == "start":
            self.start = message
        return dict(message)

    async def until(self, event: str) -> dict[str, Any]:
        """The next message of an event; others are passed over."""
        while (message := await self.receive())["event"] != event:
            pass
        return message

    async def drain(self) -> None:
        """Read until the other side closes."""
        try:
            while True:
                await self.receive()
        except WebSocketDisconnect:
            pass

    async def media(self, payload: bytes) -> None:
        """Send audio."""
        await self.send(event="media", media={"payload": base64.b64encode(payload).decode()})

    async def mark(self, name: str) -> None:
        """Send a mark."""
        await self.send(event="mark", mark={"name": name})

    async def clear(self) -> None:
        """Send a clear."""
        await self.send(event="clear")

    async def send(self, **message: Any) -> None:
        """Send any message of this stream."""
        await self.socket.send_text(json.dumps({"streamSid": self.sid, **message}))

    def audio(self) -> bytes:
        """Everything the caller said so far."""
        return b"".join(base64.b64decode(m["media"]["payload"]) for m in self.messages if m["event"] == "media")


async def _drain(stream: FakeStream) -> None:
    await stream.drain()


class FakeGateway:
    """Serves scripted webhooks and streams; records every request, validated by the real SDK."""

    def __init__(self, on_stream: Callable[[FakeStream], Awaitable[None]] = _drain) -> None:
        self.on_stream = on_stream
        self.replies: dict[str, Reply] = {}
        self.requests: list[FakeRequest] = []
        self.streams: list[FakeStream] = []
        self.refuse_streams = False
        self.base = ""
        self._arrived = asyncio.Condition()
        methods = ["GET", "POST"]
        self._server = LoopbackServer(
            Starlette(
                routes=[
                    WebSocketRoute("/{path:path}", self._stream),
                    Route("/{path:path}", self._webhook, methods=methods),
                ]
            ),
            ws="websockets-sansio",
        )

    async def __aenter__(self) -> Self:
        self.base = await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.stop()

    @property
    def stream_url(self) -> str:
        """Where streams are accepted."""
        return self.base.replace("http", "ws") + "/voice/stream"

    def connect(self, *after: str, parameters: str = "", attributes: str = "") -> str:
        """TwiML that connects a stream and goes on with other verbs."""
        return (
            f'<Response><Connect><Stream url="{self.stream_url}" {attributes}>{parameters}</Stream></Connect>'
            f"{''.join(after)}</Response>"
        )

    async def request_to(self, path: str, count: int = 1) -> FakeRequest:
        """Wait for the n-th request to a path."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests_to(path)) >= count)
        return self.requests_to(path)[count - 1]

    def requests_to(self, path: str) -> list[FakeRequest]:
        """The requests to a path so far."""
        return [request for request in self.requests if request.path == path]

    async def _webhook(self, request: Request) -> Response:
        async with request.form() as sent:
            form = {name: str(value) for name, value in sent.items()}
        path = "/" + request.path_params["path"]
        url = self.base + path + (f"?{request.url.query}" if request.url.query else "")
        signed = RequestValidator(TOKEN).validate(url, form, request.headers.get("x-twilio-signature", ""))
        seen = FakeRequest(path, request.method, form, dict(request.headers), signed)
        async with self._arrived:
            self.requests.append(seen)
            self._arrived.notify_all()
        reply = self.replies.get(path)
        if callable(reply) and not isinstance(reply, Response):
            reply = reply(seen)
        if reply is None:
            return Response(status_code=404)
        return reply if isinstance(reply, Response) else Response(reply, media_type="text/xml")

    async def _stream(self, socket: WebSocket) -> None:
        if self.refuse_streams:
            await socket.close(1008)
            return
        await socket.accept()
        headers = [(name.decode(), value.decode()) for name, value in socket.scope["headers"]]
        stream = FakeStream(socket, headers)
        self.streams.append(stream)
        try:
            await stream.until("start")
            await self.on_stream(stream)
        except WebSocketDisconnect:
            return
        if socket.client_state.name == "CONNECTED" and socket.application_state.name == "CONNECTED":
            await socket.close(1000)
