"""The person of a call in virtual time: waits until the call is at rest, does the next case, waits again."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from toolbox.bench.turn_taking.pure.judged import JudgedCall, JudgedCase, JudgedTake
from toolbox.bench.turn_taking.pure.windows import WINDOW_MS
from toolbox.bench.turn_taking.truth import SpokenWords

_REST_MS = 700.0
_STUCK_MS = 25_000.0


@dataclass
class Played:
    """A case that was played: when its take and its opening began, and until when it was looked at; call time, ms."""

    case: JudgedCase
    began_ms: float
    opening_ms: float | None = None
    take_ms: float | None = None
    reply_from_ms: float | None = None
    until_ms: float = 0.0
    stuck: bool = False


class _Step(Enum):
    RESTING = "resting"
    OPENING = "opening"
    LISTENING = "listening"
    SETTLING = "settling"


@dataclass
class Caller:
    """Asked at each window; knows what sounds in it."""

    call: JudgedCall
    words: SpokenWords
    played: list[Played] = field(default_factory=list)
    done: bool = False

    def __post_init__(self) -> None:
        self._step = _Step.RESTING
        self._left = list(self.call.cases)
        self._take: JudgedTake | None = None
        self._take_ms = 0.0
        self._rests_since = 500.0
        self._step_since = 0.0

    def step(self, end_ms: float, reply_from_ms: float | None, *, rests: bool) -> None:
        """Decide what to do from here on.

        Args:
            end_ms: Media time of the window that ends now.
            reply_from_ms: Since when the agent's reply is heard; None while none is.
            rests: Whether the agent neither speaks nor considers anything.
        """
        if self._take is not None and end_ms > self._take_ms + len(self._take.windows) * WINDOW_MS:
            self._take = None
        if not rests or self._take is not None:
            self._rests_since = end_ms
        rested = end_ms - self._rests_since >= _REST_MS
        if self._step is _Step.RESTING:
            if rested:
                self._begin(end_ms)
        elif self._step is _Step.OPENING:
            if reply_from_ms is not None and self._take is None:
                self.played[-1].reply_from_ms = reply_from_ms
                self._enter(_Step.LISTENING, end_ms)
            elif end_ms - self._step_since > _STUCK_MS:
                self._finish(end_ms, stuck=True)
        elif self._step is _Step.LISTENING:
            self._listen(end_ms)
        elif self._step is _Step.SETTLING and (rested or end_ms - self._step_since > _STUCK_MS):
            self._finish(end_ms, stuck=not rested)

    def window(self, end_ms: float) -> tuple[float, float] | None:
        """Probability and level of the caller's own sound in a window; None where there is none."""
        take = self._take
        if take is None:
            return None
        index = round((end_ms - self._take_ms) / WINDOW_MS) - 1
        if not 0 <= index < len(take.windows):
            return None
        return take.windows.probabilities[index], take.windows.levels_dbfs[index]

    def _begin(self, end_ms: float) -> None:
        if not self._left:
            self.done = True
            return
        case = self._left.pop(0)
        self.played.append(Played(case, end_ms))
        if case.opening is not None:
            self.played[-1].opening_ms = end_ms
            self._play(case.opening, end_ms)
            self._enter(_Step.OPENING, end_ms)
        elif case.take is not None:
            self.played[-1].take_ms = end_ms
            self._play(case.take, end_ms)
            self._enter(_Step.SETTLING, end_ms)

    def _listen(self, end_ms: float) -> None:
        played = self.played[-1]
        case, reply_from = played.case, played.reply_from_ms
        assert reply_from is not None
        if case.take is None:
            self._enter(_Step.SETTLING, end_ms)
        elif end_ms >= reply_from + case.onset_ms - case.take.speech_start_ms:
            played.take_ms = end_ms
            self._play(case.take, end_ms)
            self._enter(_Step.SETTLING, end_ms)

    def _play(self, take: JudgedTake, at_ms: float) -> None:
        self._take, self._take_ms = take, at_ms
        self._rests_since = at_ms
        self.words.add(take.words, at_ms)

    def _enter(self, step: _Step, at_ms: float) -> None:
        self._step, self._step_since = step, at_ms

    def _finish(self, end_ms: float, *, stuck: bool) -> None:
        self.played[-1].until_ms, self.played[-1].stuck = end_ms, stuck
        self._rests_since = end_ms - _REST_MS + 2 * WINDOW_MS
        self._enter(_Step.RESTING, end_ms)
        # Nothing that comes after could be told from what went on before: the rest is for another call.
        self.done = self.done or stuck
