"""Running a blocking engine off the event loop, step by step, stoppable at every chunk."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from typing import Protocol

from tts_service.speech import EngineError, SpeechChunk


class Outlet(Protocol):
    """Where an engine's thread puts its chunks."""

    @property
    def wanted(self) -> bool:
        """Whether to go on; asked as often as the engine can stop."""
        ...

    def put(self, chunk: SpeechChunk) -> bool:
        """Hand over a chunk; says whether to go on."""
        ...


Step = Callable[[Outlet], None]
"""An engine's piece of work: blocking, and short enough that stopping between two of them is prompt."""


class ThreadedSpeech:
    """One passage of a blocking engine: its steps run one after the other in a pool of threads.

    A step is started only while less than `lookahead_samples` wait to be read, so a slow reader holds back the engine
    and memory stays bounded by the look-ahead and one step. No task is needed: the reader's own iteration starts the
    steps. A step that waits in the pool's queue when the passage is stopped never runs; one that runs ends as soon as
    it asks its outlet. Must be created, read and stopped on the event loop.
    """

    def __init__(self, steps: Iterator[Step], executor: Executor, *, lookahead_samples: int) -> None:
        self._steps = steps
        self._executor = executor
        self._lookahead = lookahead_samples
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._chunks: deque[SpeechChunk] = deque()
        self._waiting_samples = 0
        self._arrival = asyncio.Event()
        self._stopped = threading.Event()
        self._upcoming: Step | None = None
        self._running: Future[bool] | None = None
        self._exhausted = False
        self._error: EngineError | None = None

    @property
    def ended(self) -> asyncio.Future[None]:
        """Done when no step runs and none will."""
        return self._ended

    def stop(self) -> None:
        """Drop what waits, start nothing more, and end the running step at its next chunk."""
        self._stopped.set()
        self._exhausted = True
        self._chunks.clear()
        self._waiting_samples = 0
        self._arrival.set()
        if self._running is not None:
            self._running.cancel()
        self._settle()

    def __aiter__(self) -> AsyncIterator[SpeechChunk]:
        return self

    async def __anext__(self) -> SpeechChunk:
        while True:
            self._start_step()
            if self._chunks:
                chunk = self._chunks.popleft()
                self._waiting_samples -= len(chunk.samples)
                return chunk
            if self._error is not None:
                raise self._error
            if self._exhausted and self._running is None:
                raise StopAsyncIteration
            self._arrival.clear()
            await self._arrival.wait()

    def _start_step(self) -> None:
        if self._exhausted or self._running is not None or self._waiting_samples >= self._lookahead:
            return
        self._running = self._executor.submit(self._run_step)
        self._running.add_done_callback(self._on_step_done)

    # In the engine's thread.

    def _run_step(self) -> bool:
        # The steps themselves are made here too, since that means reading the whole text. The next one is made ahead,
        # so that the end is known without waiting for a thread once more.
        step = self._upcoming or next(self._steps, None)
        if step is None:
            return False
        step(self)
        self._upcoming = next(self._steps, None)
        return self._upcoming is not None

    @property
    def wanted(self) -> bool:
        """Whether the passage goes on (as an outlet, in the engine's thread)."""
        return not self._stopped.is_set()

    def put(self, chunk: SpeechChunk) -> bool:
        """Hand a chunk to the reader (as an outlet, in the engine's thread)."""
        return self.wanted and self._tell_loop(self._on_chunk, chunk)

    def _on_step_done(self, step: Future[bool]) -> None:
        self._tell_loop(self._on_step_ended, step)

    def _tell_loop(self, callback: Callable[..., None], argument: object) -> bool:
        try:
            self._loop.call_soon_threadsafe(callback, argument)
        except RuntimeError:  # the loop is closed: the process is going down and nobody listens any more
            return False
        return True

    # Back on the event loop.

    def _on_chunk(self, chunk: SpeechChunk) -> None:
        if not self._stopped.is_set():
            self._chunks.append(chunk)
            self._waiting_samples += len(chunk.samples)
            self._arrival.set()

    def _on_step_ended(self, step: Future[bool]) -> None:
        self._running = None
        try:
            if not step.result():
                self._exhausted = True
        except CancelledError:
            pass
        except EngineError as error:
            self._fail(error)
        except Exception as error:
            failure = EngineError(f"the engine failed with {type(error).__name__}")
            failure.__cause__ = error
            self._fail(failure)
        self._arrival.set()
        self._settle()

    def _fail(self, error: EngineError) -> None:
        self._error = error
        self._exhausted = True

    def _settle(self) -> None:
        if self._exhausted and self._running is None and not self._ended.done():
            self._ended.set_result(None)
