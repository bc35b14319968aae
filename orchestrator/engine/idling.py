"""A caller who says nothing: are they still there?"""

from __future__ import annotations

from enum import Enum

from orchestrator.engine.settings import IdleSettings


class IdleStep(Enum):
    """What a silence calls for."""

    ASK = "ask"
    TAKE_LEAVE = "take leave"


class Idling:
    """Counts the silences of a caller who has the floor and does not take it. Times are monotonic ms."""

    def __init__(self, settings: IdleSettings) -> None:
        self._settings = settings
        self._since_ms: float | None = None
        self._asked = 0

    def floor_is(self, *, free: bool, now_ms: float) -> None:
        """Whether it is the caller's turn to speak, and nobody speaks."""
        if not free:
            self._since_ms = None
        elif self._since_ms is None:
            self._since_ms = now_ms

    def caller_acted(self) -> None:
        """The caller said something that counts, or pressed a key: they are there."""
        self._asked = 0

    def due_at(self) -> float | None:
        """When the silence has lasted long enough to act; None while it is not the caller's turn."""
        if self._since_ms is None or not self._settings.enabled:
            return None
        return self._since_ms + self._settings.prompt_after_ms

    def step(self) -> IdleStep:
        """The silence has lasted long enough: what to do about it."""
        self._since_ms = None
        if self._asked >= self._settings.prompts:
            return IdleStep.TAKE_LEAVE
        self._asked += 1
        return IdleStep.ASK
