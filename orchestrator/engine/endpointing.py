"""How do we know that the caller has finished?

Silence is counted from the acoustic end of speech, and in media time: sound that is late is not silence. After
``finalize_after_ms`` of it the recogniser is asked for its best transcript; how much longer to wait depends on what
the transcript looks like.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.engine.cues import Cues, words_of
from orchestrator.engine.settings import EndpointingSettings

# On a line that runs smoothly, in frames of 20 ms, the next window is there within this time: so far silence may be
# taken to go on, and deadlines need not wait for a window's end. Whatever lies beyond is not silence but unknown.
_NEXT_WINDOW_MS = 40.0
# After this long without any window the line has stalled: waiting for sound that will not come helps nobody.
_STALL_MS = 1000.0
# A partial that accounts for all but this much of the speech has heard the last word.
_COVERED_MS = 100.0


@dataclass(slots=True)
class Utterance:
    """One utterance of the caller, as far as endpointing is concerned. Times in media ms unless they say otherwise."""

    turn_id: int
    began_ms: float
    text: str = ""
    """The best transcript so far."""
    partial_covers_ms: float = 0.0
    finalize_id: int = 0
    """Id of the last finalize that was asked for; 0 when none was."""
    final_id: int = 0
    """Id of the last finalize that was answered."""
    finalize_valid: bool = False
    """Whether nothing has been said since the last finalize was asked for."""
    moved: bool = False
    """Whether the text changed after the last final."""
    end_of_turn: float | None = None
    ended_ms: float | None = None
    """Acoustic end of speech; None while the caller speaks."""
    speech_ms: float = 0.0
    """Speech heard in it, pauses not counted."""
    forced_at_ms: float | None = None
    """When, monotonic, it reached the longest allowed length and was finalized in mid-speech."""
    candidates: int = 0
    """Speculative replies begun on it."""
    failed: bool = False
    """Whether no recogniser will say any more about it."""

    @property
    def settled(self) -> bool:
        """Whether the transcript accounts for everything that was said."""
        return self.finalize_valid and self.final_id == self.finalize_id and not self.moved

    def resume(self) -> None:
        """The caller speaks again: the last transcript is no longer the whole."""
        self.ended_ms = None
        if self.forced_at_ms is None:
            self.finalize_valid = False
        self.end_of_turn = None

    def hear_partial(self, text: str, covers_ms: float) -> None:
        """Take up a partial, unless a settled final already knows better."""
        if not text:
            return
        if self.settled and covers_ms and self.ended_ms is not None and covers_ms <= self.ended_ms + _COVERED_MS:
            return  # a partial overtaken by the final
        if self.settled and words_of(text) != words_of(self.text):
            self.moved = True
        self.text = text
        self.partial_covers_ms = covers_ms

    def hear_final(self, finalize_id: int, text: str) -> None:
        """Take up a final, unless a later one came before it."""
        if finalize_id < self.final_id:
            return
        self.final_id = finalize_id
        self.text = text
        self.moved = False


def wait_for(utterance: Utterance, settings: EndpointingSettings, cues: Cues) -> float:
    """Silence, in ms from the acoustic end of speech, after which the turn is decided as things stand."""
    if utterance.failed:
        return settings.complete_ms
    if utterance.settled:
        if utterance.forced_at_ms is not None:
            return 0.0
        if not utterance.text.strip():
            return settings.late_ms
        if utterance.end_of_turn is not None:
            finished = utterance.end_of_turn >= 0.5
        else:
            finished = not cues.looks_unfinished(utterance.text)
        return settings.complete_ms if finished else settings.unfinished_ms
    if utterance.moved:
        return settings.late_ms
    heard_all = utterance.ended_ms is not None and utterance.partial_covers_ms >= utterance.ended_ms - _COVERED_MS
    if utterance.text and heard_all:
        unfinished = cues.looks_unfinished(utterance.text)
        return settings.unfinished_ms if unfinished else settings.late_ms
    return settings.cap_ms


@dataclass(slots=True)
class MediaClock:
    """Relates the caller's media time to the monotonic clock, through the last window that came."""

    media_ms: float = 0.0
    at_ms: float = 0.0
    stalled: bool = False
    """Whether the line was found to have stalled, and no window came since."""

    def advance(self, media_ms: float, at_ms: float) -> None:
        """A window ending at ``media_ms`` came at ``at_ms``."""
        self.media_ms = media_ms
        self.at_ms = at_ms
        self.stalled = False

    def look(self, now_ms: float) -> None:
        """Nothing else has come up to now: see whether the line has stalled."""
        self.stalled = now_ms >= self.stalled_at_ms

    @property
    def stalled_at_ms(self) -> float:
        """When the line counts as stalled unless another window comes."""
        return self.at_ms + _STALL_MS

    def silence_ms(self, ended_ms: float, now_ms: float) -> float:
        """Silence since ``ended_ms``: what was heard as such, the window under way, and all of a stall."""
        lag = max(0.0, now_ms - self.at_ms)
        return self.media_ms - ended_ms + (lag if self.stalled else min(lag, _NEXT_WINDOW_MS))

    def deadline(self, ended_ms: float, silence_ms: float) -> float:
        """When, on the monotonic clock, that much silence will have passed if no further window comes."""
        missing = max(0.0, silence_ms - (self.media_ms - ended_ms))
        return self.at_ms + (missing if missing <= _NEXT_WINDOW_MS else max(missing, _STALL_MS))
