"""How long does this caller pause in mid-turn?

A caller who thinks between two clauses is cut off by a wait that suits everybody else. So the pauses they came back
from are averaged, each moving the estimate a little, and the wait behind a turn that looks complete follows it. What a
caller says after the agent has spoken is no pause but a new turn, and teaches nothing.
"""

from __future__ import annotations

from orchestrator.engine.settings import PauseLearningSettings


class LearnedPauses:
    """An exponential moving average of one caller's pauses, between a floor and a ceiling (ms)."""

    def __init__(self, settings: PauseLearningSettings) -> None:
        self._settings = settings
        self.estimate_ms = settings.floor_ms
        """How long this caller's pauses are, as far as is known: the floor until one was longer."""

    def learn(self, pause_ms: float) -> None:
        """The caller paused for so long and then went on with the same turn."""
        settings = self._settings
        if not settings.enabled:
            return
        pause_ms = min(max(pause_ms, settings.floor_ms), settings.ceiling_ms)
        self.estimate_ms = settings.alpha * self.estimate_ms + (1 - settings.alpha) * pause_ms

    @property
    def allowance_ms(self) -> float:
        """What to wait beyond the usual for a turn that looks complete; 0 for a caller who does not pause."""
        return self._settings.share * (self.estimate_ms - self._settings.floor_ms)
