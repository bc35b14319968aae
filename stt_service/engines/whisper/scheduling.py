"""Who is next at the one model: finals first, partials only where there is room, equals together in a batch.

Threads take the work; everything that is asked of a waiting job happens at once, under one lock, so that a cancelled
utterance has left the queue when `drop` returns.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeVar

Work = TypeVar("Work")
Result = TypeVar("Result")

_RECORDING_WAITS_S = 5.0
"""So long a recording lets partials pass; after that it is their turn to wait."""


class Urgency(IntEnum):
    """What goes first."""

    FINAL = 0
    PARTIAL = 1
    RECORDING = 2
    """Nobody waits for it on the line."""


class DroppedError(Exception):
    """Nobody wants the result any more, or something more urgent took its place."""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Result]):
    """How a job ended."""

    result: Result | None
    error: Exception | None
    """DroppedError, or what the inference raised; None when there is a result."""
    queue_s: float
    inference_s: float


class Job(Generic[Work, Result]):
    """One piece of work in the queue, at work or done."""

    def __init__(
        self,
        scheduler: Scheduler[Work, Result],
        urgency: Urgency,
        kind: Hashable,
        work: Work,
        done: Callable[[Outcome[Result]], None],
    ) -> None:
        """Made by `Scheduler.submit` only."""
        self._scheduler = scheduler
        self.urgency = urgency
        self.kind = kind
        self.work = work
        self.done = done
        self.asked_at = 0.0
        self.unwanted = False
        self.number = 0

    def drop(self) -> bool:
        """Say that the result has become useless.

        True when the job was still waiting: it has left the queue and its ``done`` is never called. False when it is
        at work, where it stops at the next step and ``done`` is called, or has ended.
        """
        return self._scheduler.drop(self)

    def renew(self, kind: Hashable, work: Work) -> bool:
        """Put newer work in its place in the queue; False when it waits no longer."""
        return self._scheduler.renew(self, kind, work)

    def hasten(self) -> None:
        """Make it as urgent as a final, wherever it is: it is not pre-empted any more."""
        self._scheduler.hasten(self)


@dataclass(frozen=True, slots=True)
class Batch:
    """What was begun together, for whoever counts."""

    urgency: Urgency
    """Of its most urgent job."""
    waits_s: tuple[float, ...]
    """How long each job waited."""
    inference_s: float


Infer = Callable[[Sequence[Work], Callable[[], bool]], Sequence[Result | Exception]]
"""Does the work of one batch, an answer or an error for each; raises DroppedError once the second argument, looked at
between its steps, says that nobody wants the answers."""


class Scheduler(Generic[Work, Result]):
    """A fixed number of threads that take the most urgent jobs, the oldest first.

    The queue is as long as its users make it: each utterance has at most one partial and one question in it, and there
    are no more utterances than slots.
    """

    def __init__(
        self,
        infer: Infer[Work, Result],
        *,
        workers: int,
        batch: int = 1,
        partial_batch: int = 1,
        on_batch: Callable[[Batch], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare ``workers`` threads; `start` begins.

        Each infers up to ``batch`` finals of one kind at a time, or up to ``partial_batch`` partials.
        """
        self._infer = infer
        self._clock = clock
        self._most = {Urgency.FINAL: batch, Urgency.PARTIAL: partial_batch, Urgency.RECORDING: 1}
        self._on_batch = on_batch
        self._waiting: dict[Urgency, dict[int, Job[Work, Result]]] = {urgency: {} for urgency in Urgency}
        self._numbers = itertools.count()
        self._wake = threading.Condition()
        self._closing = False
        # One worker at least is never busy with a recording, which takes long.
        self._most_recordings = max(1, workers - 1)
        self._recordings = 0
        self._idle = workers
        self._threads = [
            threading.Thread(target=self._run, name=f"whisper-{number}", daemon=True) for number in range(workers)
        ]

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        with self._wake:
            return sum(map(len, self._waiting.values()))

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def submit(
        self, urgency: Urgency, kind: Hashable, work: Work, done: Callable[[Outcome[Result]], None]
    ) -> Job[Work, Result]:
        """Queue ``work``; jobs of an equal ``kind`` may share a batch, None shares with nobody.

        ``done`` is called once, in a worker's thread, unless the job is dropped while it waits.
        """
        job = Job(self, urgency, kind, work, done)
        job.asked_at = self._clock()
        with self._wake:
            self._enqueue(job)
        return job

    def close(self) -> None:
        """Finish what is queued (its owners have dropped it) and wait for the threads; blocks for a step."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def drop(self, job: Job[Work, Result]) -> bool:
        """See `Job.drop`."""
        with self._wake:
            job.unwanted = True
            return self._waiting[job.urgency].pop(job.number, None) is not None

    def renew(self, job: Job[Work, Result], kind: Hashable, work: Work) -> bool:
        """See `Job.renew`."""
        with self._wake:
            if job.number not in self._waiting[job.urgency]:
                return False
            job.kind, job.work = kind, work
            return True

    def hasten(self, job: Job[Work, Result]) -> None:
        """See `Job.hasten`."""
        with self._wake:
            waited = self._waiting[job.urgency].pop(job.number, None) is not None
            job.urgency = Urgency.FINAL
            if waited:
                self._enqueue(job)

    def _enqueue(self, job: Job[Work, Result]) -> None:
        job.number = next(self._numbers)
        self._waiting[job.urgency][job.number] = job
        self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not (jobs := self._take()):
                    if self._closing and not any(self._waiting.values()):
                        return
                    self._wake.wait()
                recording = jobs[0].urgency is Urgency.RECORDING
                self._recordings += recording
                self._idle -= 1
            try:
                self._work(jobs)
            finally:
                with self._wake:
                    self._recordings -= recording
                    self._idle += 1
                    if recording:
                        # Others may have passed over a recording for want of a place.
                        self._wake.notify_all()

    def _take(self) -> list[Job[Work, Result]]:
        """The next jobs, no longer in the queue; none when there is nothing that may begin."""
        first = next(self._in_order(), None)
        if first is None:
            return []
        jobs = [first]
        most = self._most[first.urgency]
        if most > 1 and first.kind is not None:
            # No partial rides with a final, which would wait for it; and each worker gets its share, or one would be
            # idle while the other's first waits for its second.
            alike = [job for job in self._waiting[first.urgency].values() if job.kind == first.kind]
            jobs = alike[: min(most, -(-len(alike) // len(self._threads)))]
        for job in jobs:
            del self._waiting[job.urgency][job.number]
        return jobs

    def _in_order(self) -> Iterator[Job[Work, Result]]:
        recordings = list(self._waiting[Urgency.RECORDING].values())
        if self._recordings >= self._most_recordings:
            recordings = []
        overdue = self._clock() - _RECORDING_WAITS_S
        yield from self._waiting[Urgency.FINAL].values()
        yield from (job for job in recordings if job.asked_at < overdue)
        yield from self._waiting[Urgency.PARTIAL].values()
        yield from (job for job in recordings if job.asked_at >= overdue)

    def _work(self, jobs: Sequence[Job[Work, Result]]) -> None:
        began_at = self._clock()
        urgency = min(job.urgency for job in jobs)
        answers: Sequence[Result | Exception]
        try:
            answers = self._infer([job.work for job in jobs], lambda: self._useless(jobs))
        except Exception as error:  # whatever it is, each owner is told
            answers = [error] * len(jobs)
        inference_s = self._clock() - began_at
        waits = tuple(began_at - job.asked_at for job in jobs)
        self._on_batch(Batch(urgency, waits, inference_s))
        for job, answer, wait_s in zip(jobs, answers, waits, strict=True):
            if isinstance(answer, Exception):
                job.done(Outcome(None, answer, wait_s, inference_s))
            else:
                job.done(Outcome(answer, None, wait_s, inference_s))

    def _useless(self, jobs: Sequence[Job[Work, Result]]) -> bool:
        with self._wake:
            pressed = bool(self._waiting[Urgency.FINAL]) and not self._idle
            return all(job.unwanted or (pressed and job.urgency is Urgency.PARTIAL) for job in jobs)
