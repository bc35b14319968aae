"""A model that always says the same: an OpenAI-compatible endpoint that streams a set reply on a set schedule."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import re
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

REPLY = "Here is what I have found for you. It takes a moment to tell, so please listen. Then ask me anything else."
_TOKEN = re.compile(r"\s*\S+")


@dataclass(frozen=True)
class InstantBrain:
    """What it says and when. Times in milliseconds."""

    reply: str = REPLY
    first_token_ms: float = 0.0
    token_ms: float = 0.0

    def app(self) -> Starlette:
        """The endpoint as an ASGI application."""
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self._complete, methods=["POST"]),
                Route("/v1/models", self._models),
                Route("/readyz", self._ready),
            ]
        )

    async def _complete(self, request: Request) -> Response:
        asked = await request.json()
        model = str(asked.get("model", "instant"))
        head = {"id": "chatcmpl-instant", "created": int(time.time()), "model": model}
        if not asked.get("stream"):
            message = {"role": "assistant", "content": self.reply}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            return JSONResponse({**head, "object": "chat.completion", "choices": [choice]})
        return StreamingResponse(self._stream(head), media_type="text/event-stream")

    async def _stream(self, head: dict[str, object]) -> AsyncIterator[bytes]:
        def event(delta: dict[str, str], finish: str | None = None) -> bytes:
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            chunk = {**head, "object": "chat.completion.chunk", "choices": [choice]}
            return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"

        tokens = _TOKEN.findall(self.reply)
        start = time.monotonic()
        if not self.token_ms:
            # No schedule to keep: one write, as a model that is done at once would.
            await asyncio.sleep(self.first_token_ms / 1000)
            yield b"".join(event({"content": token}) for token in tokens) + event({}, "stop") + b"data: [DONE]\n\n"
            return
        for number, token in enumerate(tokens):
            due = start + (self.first_token_ms + number * self.token_ms) / 1000
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            yield event({"content": token})
        yield event({}, "stop") + b"data: [DONE]\n\n"

    async def _models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": "instant", "object": "model", "owned_by": "parley"}]})

    async def _ready(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m toolbox.instant brain", description=__doc__)
    parser.add_argument("--listen", default="127.0.0.1:0", help="host:port; port 0 lets the system choose")
    parser.add_argument("--reply", default=REPLY, help="what it says")
    parser.add_argument("--first-token-ms", type=float, default=0.0, help="from the request to the first token")
    parser.add_argument("--token-ms", type=float, default=0.0, help="between two tokens; 0 sends all at once")
    parser.add_argument("--ready-file", type=Path, help="written when it listens")
    parser.add_argument("--config", help="ignored: has no section of its own")
    parser.add_argument("--set", action="append", help="ignored: has no section of its own")
    options = parser.parse_args(argv)
    brain = InstantBrain(options.reply, options.first_token_ms, options.token_ms)
    asyncio.run(_serve(brain.app(), options.listen, options.ready_file))


async def _serve(app: Starlette, listen: str, ready_file: Path | None) -> None:
    host, _, port = listen.rpartition(":")
    server = uvicorn.Server(
        uvicorn.Config(app, host=host, port=int(port), log_level="warning", access_log=False, lifespan="off")
    )
    serving = asyncio.create_task(server.serve())
    for _ in itertools.count():
        if server.started or serving.done():
            break
        await asyncio.sleep(0.01)
    if server.started:
        bound = server.servers[0].sockets[0].getsockname()
        address = f"{bound[0]}:{bound[1]}"
        if ready_file is not None:
            report = {"service": "instant-brain", "pid": os.getpid(), "addresses": {"http": address}}
            draft = ready_file.with_suffix(".draft")
            draft.write_text(json.dumps(report), encoding="utf-8")
            draft.rename(ready_file)
    await serving
