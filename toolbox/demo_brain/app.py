"""The demo brain's HTTP face: OpenAI's chat completions, as a real model server has them."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from toolbox.demo_brain.completions import (
    BadRequestError,
    Completion,
    content_of,
    last_words,
    offers_tool,
    parse_request,
    told_so_far,
    words_of,
)
from toolbox.demo_brain.intents import Answer, answer, answer_to_tool
from toolbox.demo_brain.requests import BrainRequestRecord, RequestLog
from toolbox.demo_brain.streaming import EventStream

MODEL: Final = "parley-demo"
_LARGEST_BODY: Final = 1 << 20
# Kept in the log: who asks in which session and trace. Never the key.
_LOGGED_HEADERS: Final = frozenset({"traceparent", "x-openclaw-session-key", "user-agent"})


@dataclass(frozen=True)
class Pace:
    """How fast it writes, in milliseconds.

    Before the first word, between words, between words of the story, and before the first word of what it looks up: as
    long as a real assistant's tool may take, so that the wait for it can be heard.
    """

    first_word_ms: float = 60.0
    word_ms: float = 15.0
    story_word_ms: float = 80.0
    look_up_ms: float = 1800.0


@dataclass(frozen=True, slots=True)
class Clocks:
    """Where it takes time from."""

    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]


class ChatApp:
    """Routes and answers; `asgi` is the application."""

    def __init__(self, *, pace: Pace, clocks: Clocks, api_key: str, log: RequestLog) -> None:
        self._pace = pace
        self._clocks = clocks
        self._api_key = api_key
        self._log = log
        self.stopping = asyncio.Event()
        self.asgi = Starlette(
            routes=[
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/v1/models", self._models, methods=["GET"]),
                Route("/readyz", self._ready, methods=["GET"]),
            ]
        )

    async def _ready(self, _: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def _models(self, request: Request) -> JSONResponse:
        if refused := self._refused(request):
            return refused
        model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "parley"}
        return JSONResponse({"object": "list", "data": [model]})

    async def _chat(self, request: Request) -> ASGIApp:
        if refused := self._refused(request):
            return refused
        try:
            asked = parse_request(await _body(request))
        except BadRequestError as error:
            return _error(400, "invalid_request_error", str(error))
        messages: list[dict[str, Any]] = asked["messages"]
        if messages[-1].get("role") == "tool":
            given = answer_to_tool(content_of(messages[-1]))
        else:
            given = answer(last_words(messages), told_so_far(messages), self._clocks.now())
        with_tool = bool(given.tool) and offers_tool(asked, given.tool)
        if given.without_tool and not with_tool:
            given = replace(given, text=given.without_tool)
        streamed = asked.get("stream") is True
        model = asked.get("model") if isinstance(asked.get("model"), str) else MODEL
        record = await self._log.add(
            intent=given.intent,
            model=str(model),
            messages=tuple(messages),
            headers={name: value for name, value in request.headers.items() if name in _LOGGED_HEADERS},
            streamed=streamed,
            opened_at=self._clocks.monotonic(),
        )
        completion = Completion(
            record.number,
            str(model),
            int(self._clocks.now().timestamp()),
            given,
            with_tool=with_tool,
        )
        if not streamed:
            record.close(self._clocks.monotonic(), cancelled=False)
            return JSONResponse(completion.whole())
        return EventStream(
            self._events(completion, given, record),
            stopping=self.stopping,
            on_end=lambda cancelled: record.close(self._clocks.monotonic(), cancelled=cancelled),
        )

    async def _events(
        self, completion: Completion, given: Answer, record: BrainRequestRecord
    ) -> AsyncGenerator[bytes, None]:
        yield completion.opening()
        gap_ms = self._pace.story_word_ms if given.intent == "story" else self._pace.word_ms
        first_ms = self._pace.look_up_ms if given.intent == "weather" else self._pace.first_word_ms
        for number, word in enumerate(words_of(given.text)):
            await self._clocks.sleep((gap_ms if number else first_ms) / 1000)
            if number == 0:
                record.first_word_at = self._clocks.monotonic()
            yield completion.word(word)
            record.words_sent += 1
        for chunk in completion.closing():
            yield chunk

    def _refused(self, request: Request) -> JSONResponse | None:
        if not self._api_key:
            return None
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(key.encode(), self._api_key.encode()):
            return None
        return _error(401, "invalid_api_key", "the key is missing or wrong")


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _LARGEST_BODY:
            raise BadRequestError(f"the body is larger than {_LARGEST_BODY} bytes")
    return bytes(body)


def _error(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "type": code, "code": code}}, status_code=status)
