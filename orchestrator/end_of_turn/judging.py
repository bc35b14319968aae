"""Asking the end-of-turn model for all calls of a process, beside their event loop.

A judgement takes some tens of milliseconds, so it runs on worker threads (ONNX Runtime and numpy let go of the GIL for
nearly all of it). All bookkeeping is done on the loop, which therefore needs no locks. Opinions age fast: a call's new
question replaces its old one, whether that still waits or is being judged, and a question that has waited too long is
dropped. The engine does without an opinion as it does without a model: the transcript's cues decide.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from orchestrator.end_of_turn.recent import RecentSound
from orchestrator.end_of_turn.settings import EndOfTurnSettings
from servicekit.logs import get_logger

log = get_logger(__name__)

OnJudged = Callable[[int, float, float], None]
"""Told the turn, the probability that it is over, and the media time in ms up to which it was heard; on the loop."""


class Model(Protocol):
    """What judges; see `EndOfTurnModel`."""

    def probability(self, samples: NDArray[np.float32]) -> float:
        """Chance that the turn is over, of float32 samples ``[n]`` at 16 kHz."""


@dataclass(slots=True, eq=False)
class Question:
    """Whether a turn is over, by the sound of it so far."""

    turn_id: int
    samples: NDArray[np.float32]
    covers_ms: float
    """Media time at which the samples end."""
    on_judged: OnJudged
    asked_at: float
    wanted: bool = True
    """Whether the answer is still waited for."""


@dataclass(slots=True)
class JudgingCounts:
    """What became of the questions that were asked."""

    asked: int = 0
    answered: int = 0
    withdrawn: int = 0
    """Replaced by a newer question of their call, or taken back."""
    dropped: int = 0
    """Waited too long, or too many waited."""
    failed: int = 0


class EndOfTurnJudges:
    """One model, its workers, and the calls that ask. Belongs to the loop it is made on; ``close`` ends it."""

    def __init__(
        self,
        model: Model,
        settings: EndOfTurnSettings,
        *,
        executor: Executor | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Judge by ``model``, ``settings.workers`` at once, on threads of its own or on ``executor``; ends either.

        ``clock`` gives seconds; it is the loop's own unless another is given.
        """
        self._model = model
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._clock = clock or self._loop.time
        self._executor = executor or ThreadPoolExecutor(settings.workers, thread_name_prefix="end-of-turn")
        # In the order they were asked; keys alone count.
        self._waiting: dict[Question, None] = {}
        self._running: set[asyncio.Future[float]] = set()
        self._closed = False
        self._failing = False
        self.counts = JudgingCounts()

    def for_call(self, on_judged: OnJudged) -> EndOfTurnJudge:
        """The judge of one call."""
        return EndOfTurnJudge(self, on_judged)

    def ask(self, turn_id: int, samples: NDArray[np.float32], covers_ms: float, on_judged: OnJudged) -> Question:
        """Ask of float32 samples ``[n]`` at 16 kHz that end at ``covers_ms`` of media time; returns at once.

        Nobody may write to the samples again.
        """
        question = Question(turn_id, samples, covers_ms, on_judged, self._clock())
        self.counts.asked += 1
        if self._closed:
            self._drop(question)
            return question
        if len(self._waiting) >= self._settings.max_waiting:
            self._drop(next(iter(self._waiting)))
        self._waiting[question] = None
        self._begin()
        return question

    def withdraw(self, question: Question) -> None:
        """Take a question back; nothing happens where it was answered or given up already."""
        if question.wanted:
            question.wanted = False
            self._waiting.pop(question, None)
            self.counts.withdrawn += 1

    async def close(self) -> None:
        """Answer nobody any more, and wait for the judgements under way: they cannot be stopped."""
        self._closed = True
        for question in list(self._waiting):
            self._drop(question)
        if self._running:
            await asyncio.wait(self._running)
        self._executor.shutdown(wait=False)

    def _drop(self, question: Question) -> None:
        question.wanted = False
        self._waiting.pop(question, None)
        self.counts.dropped += 1

    def _begin(self) -> None:
        """Give waiting questions to free workers, the oldest first."""
        while self._waiting and len(self._running) < self._settings.workers:
            question = next(iter(self._waiting))
            if (self._clock() - question.asked_at) * 1000.0 > self._settings.begin_within_ms:
                self._drop(question)
                continue
            del self._waiting[question]
            judging = self._loop.run_in_executor(self._executor, self._model.probability, question.samples)
            self._running.add(judging)
            judging.add_done_callback(functools.partial(self._done, question))

    def _done(self, question: Question, judging: asyncio.Future[float]) -> None:
        self._running.discard(judging)
        wanted, question.wanted = question.wanted, False
        if judging.cancelled():
            return
        error = judging.exception()
        if error is not None:
            self.counts.failed += 1
            # Once, and again only after it has worked in between: it is asked several times a minute and call.
            if not self._failing:
                log.warning("the end-of-turn model failed", cause=type(error).__name__, detail=str(error)[:300])
            self._failing = True
        else:
            self._failing = False
            if wanted and not self._closed:
                self.counts.answered += 1
                question.on_judged(question.turn_id, judging.result(), question.covers_ms)
        if not self._closed:
            self._begin()


class EndOfTurnJudge:
    """One call's side: keeps its last 8 s, asks, and is told on the loop, at most once for each question."""

    def __init__(self, judges: EndOfTurnJudges, on_judged: OnJudged) -> None:
        self._judges = judges
        self._on_judged = on_judged
        self._recent = RecentSound()
        self._question: Question | None = None

    def hear(self, window: NDArray[np.float32], end_ms: float) -> None:
        """Take the next float32 samples ``[n]`` of the caller at 16 kHz, ending at ``end_ms`` of media time.

        They are kept as they are: nobody may write to them afterwards.
        """
        self._recent.push(window, end_ms)

    def ask(self, turn_id: int, from_ms: float) -> None:
        """Ask whether the turn that began at ``from_ms`` of media time is over, by all that was heard since.

        Returns at once. The answer comes through ``on_judged`` unless a newer question, `withdraw`, overload or a
        failure of the model comes before it.
        """
        self.withdraw()
        recent = self._recent
        self._question = self._judges.ask(turn_id, recent.since(from_ms), recent.end_ms, self._on_judged)

    def withdraw(self) -> None:
        """Take the question back: the caller speaks again, the turn was decided, or the call is over."""
        if self._question is not None:
            self._judges.withdraw(self._question)
            self._question = None
