"""A streamed HTTP answer that knows at once when nobody listens any more."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable

from starlette.types import Receive, Scope, Send


class EventStream:
    """An ASGI response of server-sent events.

    Starlette's own waits for a failing send; here the client's going is watched beside the writing, so that a reply
    whose next word is seconds away is cancelled as well.
    """

    def __init__(
        self,
        events: AsyncGenerator[bytes, None],
        *,
        stopping: asyncio.Event,
        on_end: Callable[[bool], None],
    ) -> None:
        """`on_end` is called once, with True when the client went away (or the server stops) before the end."""
        self._events = events
        self._stopping = stopping
        self._on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events until they end, the client goes or the server stops."""
        writing = asyncio.create_task(self._write(send))
        leaving = asyncio.create_task(_left(receive))
        stopping = asyncio.create_task(self._stopping.wait())
        tasks = (writing, leaving, stopping)
        complete = False
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            complete = writing.done() and not writing.cancelled() and writing.exception() is None
        finally:
            self._on_end(not complete)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._events.aclose()

    async def _write(self, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async with contextlib.aclosing(self._events) as events:
            async for event in events:
                await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
