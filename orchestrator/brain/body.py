"""Reading an answer's body within limits of time and size."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any, Final

import openai

from orchestrator.brain.contract import BrainEvent
from orchestrator.brain.errors import BrainError
from orchestrator.brain.stream import ReplyReader

# Behind the last word the endpoint may still send its token counts and the end of the body; then the connection can be
# used again. One that dawdles is closed instead.
LAST_WORDS_S: Final = 0.1
# Reasoning included, a reply of 8,000 characters in one-character deltas stays far below this.
LARGEST_BODY_BYTES: Final = 32 << 20


async def read_events(
    response: openai.AsyncAPIResponse[Any], reader: ReplyReader, deadline: float, *, where: str, section: str
) -> AsyncGenerator[BrainEvent, None]:
    """The answer's events, until its end or `deadline` (the loop's time).

    Raises:
        BrainError: `server` the connection broke, `timeout` the deadline came, `protocol` it cannot be read.
    """
    async with contextlib.aclosing(_read(response, reader, deadline, where, section)) as pieces:
        if "json" in response.headers.get("content-type", ""):
            body = b"".join([piece async for piece in pieces])
            for event in reader.whole(body):
                yield event
            return
        try:
            async for piece in pieces:
                for event in reader.push(piece):
                    yield event
        except BrainError:
            if not reader.finished:
                raise
            return  # Whatever goes wrong behind the last word concerns nobody.
        for event in reader.end():
            yield event


async def _read(
    response: openai.AsyncAPIResponse[Any], reader: ReplyReader, deadline: float, where: str, section: str
) -> AsyncGenerator[bytes, None]:
    loop = asyncio.get_running_loop()
    size = 0
    async with contextlib.aclosing(_bytes_of(response)) as pieces:
        while True:
            if reader.finished:
                deadline = min(deadline, loop.time() + LAST_WORDS_S)
            try:
                async with asyncio.timeout_at(deadline):
                    piece = await anext(pieces)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise too_long(where, section) from error
            except Exception as error:  # The HTTP library's own: httpx with openai 2, httpx2 with openai 3.
                raise BrainError(
                    "server", f"The brain at {where} broke off in the middle of its answer; see its log."
                ) from error
            size += len(piece)
            if size > LARGEST_BODY_BYTES:
                raise BrainError("protocol", f"The brain at {where} does not stop sending; see its log.")
            yield piece


async def _bytes_of(response: openai.AsyncAPIResponse[Any]) -> AsyncGenerator[bytes, None]:
    async for piece in response.iter_bytes():
        yield piece


def too_long(where: str, section: str) -> BrainError:
    """The total limit was reached."""
    return BrainError(
        "timeout",
        f"The brain at {where} did not finish in time; see its load, or raise {section}.total_timeout_s.",
    )
