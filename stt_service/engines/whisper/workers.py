"""Threads for blocking inference: finals before partials, what nobody wants any more is not begun."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from enum import IntEnum


class Urgency(IntEnum):
    """What goes first."""

    FINAL = 0
    PARTIAL = 1
    RECORDING = 2
    """Nobody waits for it on the line."""


class Job:
    """One piece of work for a thread."""

    def __init__(self, work: Callable[[Job], None]) -> None:
        """``work`` runs in a thread, looks at `unwanted` between its steps and reports its own outcome."""
        self.work = work
        self._unwanted = threading.Event()

    @property
    def unwanted(self) -> bool:
        """Whether the outcome has become useless: stop at the next step."""
        return self._unwanted.is_set()

    def drop(self) -> None:
        """Say that the outcome has become useless."""
        self._unwanted.set()


class Workers:
    """A fixed number of threads that take the most urgent job, the oldest first."""

    def __init__(self, count: int) -> None:
        """Prepare ``count`` threads; `start` begins."""
        self._jobs: list[tuple[Urgency, int, Job]] = []
        self._numbers = itertools.count()
        self._wake = threading.Condition()
        self._closing = False
        self._threads = [
            threading.Thread(target=self._run, name=f"whisper-{number}", daemon=True) for number in range(count)
        ]

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def submit(self, urgency: Urgency, work: Callable[[Job], None]) -> Job:
        """Queue ``work``; it is called even when dropped before its turn, so that its owner hears of its end."""
        job = Job(work)
        with self._wake:
            heapq.heappush(self._jobs, (urgency, next(self._numbers), job))
            self._wake.notify()
        return job

    def close(self) -> None:
        """Finish what is queued (its owners have dropped it) and wait for the threads; blocks for a step."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._jobs:
                    if self._closing:
                        return
                    self._wake.wait()
                _, _, job = heapq.heappop(self._jobs)
            job.work(job)
