"""One passage whose chunks come from a coroutine: the counterpart of `ThreadedSpeech` for engines elsewhere."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from tts_service.speech import EngineError, SpeechChunk


class StreamedSpeech:
    """Reads chunks ahead of its own reader, by so many samples and one chunk; see `speech.Speech`.

    Its one task ends with the passage: when all is read, when it fails, or when it is stopped, which cancels whatever
    the coroutine waits for. Must be created, read and stopped on the event loop.
    """

    def __init__(self, chunks: AsyncGenerator[SpeechChunk, None], *, lookahead_samples: int) -> None:
        """Begin to read. An EngineError of the coroutine is raised to the reader after the chunks before it."""
        loop = asyncio.get_running_loop()
        self._lookahead = lookahead_samples
        self._ended: asyncio.Future[None] = loop.create_future()
        self._chunks: deque[SpeechChunk] = deque()
        self._waiting_samples = 0
        self._arrival = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._error: EngineError | None = None
        self._stopped = False
        self._task = loop.create_task(self._read(chunks), name="speech of a server")
        self._task.add_done_callback(self._on_done)

    @property
    def ended(self) -> asyncio.Future[None]:
        """Done when nothing is under way any more."""
        return self._ended

    def stop(self) -> None:
        """Drop what waits and break off the rest."""
        self._stopped = True
        self._task.cancel()
        self._chunks.clear()
        self._arrival.set()

    def __aiter__(self) -> AsyncIterator[SpeechChunk]:
        return self

    async def __anext__(self) -> SpeechChunk:
        while True:
            if self._chunks:
                chunk = self._chunks.popleft()
                self._waiting_samples -= len(chunk.samples)
                if self._waiting_samples < self._lookahead:
                    self._room.set()
                return chunk
            if self._error is not None and not self._stopped:
                raise self._error
            if self._ended.done() or self._stopped:
                raise StopAsyncIteration
            self._arrival.clear()
            await self._arrival.wait()

    async def _read(self, chunks: AsyncGenerator[SpeechChunk, None]) -> None:
        async with aclosing(chunks):
            async for chunk in chunks:
                if self._stopped:
                    return
                self._chunks.append(chunk)
                self._waiting_samples += len(chunk.samples)
                self._arrival.set()
                if self._waiting_samples >= self._lookahead:
                    self._room.clear()
                    await self._room.wait()

    def _on_done(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, EngineError):
            self._error = error
        elif error is not None:
            self._error = EngineError(f"the engine failed with {type(error).__name__}")
            self._error.__cause__ = error
        self._ended.set_result(None)
        self._arrival.set()
