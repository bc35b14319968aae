"""Is the caller still there, and has the call lasted too long? What the agent says of its own accord."""

from __future__ import annotations

from orchestrator.engine.actions import HangUpReason, Prompt
from orchestrator.engine.answering import Answering
from orchestrator.engine.caller import EPSILON_MS, Caller
from orchestrator.engine.idling import IdleStep, Idling
from orchestrator.engine.settings import EngineSettings


class Presence:
    """Prompts a silent caller, takes leave of one who stays silent, and ends calls that are too long."""

    def __init__(self, settings: EngineSettings, caller: Caller, answering: Answering) -> None:
        self._settings = settings.watchdogs
        self._caller = caller
        self._answering = answering
        self._idling = Idling(settings.idle)
        self._started_at_ms = 0.0
        self._warned = False

    def call_started(self, now_ms: float) -> None:
        """The call's length counts from here."""
        self._started_at_ms = now_ms

    def caller_acted(self) -> None:
        """The caller did something that counts."""
        self._idling.caller_acted()

    def next_deadline(self) -> float | None:
        """When ``consider`` has something to do though nothing happens, monotonic ms; None for never."""
        if self._answering.hung_up:
            return None
        due = self._started_at_ms + self._settings.max_call_ms
        if self._floor_free:
            if (warn_at := self._warn_at()) is not None:
                due = min(due, warn_at)
            if (idle_at := self._idling.due_at()) is not None:
                due = min(due, idle_at)
        return due

    def consider(self, now_ms: float) -> None:
        """Act on what is overdue."""
        answering = self._answering
        if answering.hung_up:
            return
        if now_ms >= self._started_at_ms + self._settings.max_call_ms - EPSILON_MS:
            answering.hang_up(HangUpReason.MAX_DURATION)
            return
        if self._floor_free and (warn_at := self._warn_at()) is not None and now_ms >= warn_at - EPSILON_MS:
            self._warned = True
            answering.say(Prompt.ENDING_SOON, now_ms)
        # Noise is no presence: an utterance that comes to nothing does not begin the silence anew.
        self._idling.floor_is(free=answering.agent is None and not self._caller.digits, now_ms=now_ms)
        idle_at = self._idling.due_at()
        if not self._floor_free or idle_at is None or now_ms < idle_at - EPSILON_MS:
            return
        if self._idling.step() is IdleStep.ASK:
            answering.say(Prompt.STILL_THERE, now_ms)
        else:
            answering.say(Prompt.GOODBYE, now_ms, hang_up=HangUpReason.IDLE)

    @property
    def _floor_free(self) -> bool:
        return self._answering.agent is None and self._caller.utterance is None and not self._caller.digits

    def _warn_at(self) -> float | None:
        before_ms = self._settings.warn_before_ms
        if self._warned or not before_ms or before_ms >= self._settings.max_call_ms:
            return None
        return self._started_at_ms + self._settings.max_call_ms - before_ms
