"""What the recogniser would have said of utterances that began or ended elsewhere than in the recorded call."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from orchestrator.engine import Event, FinalHeard
from toolbox.replay.recording import Recognised, Recording

_TYPICAL_FINAL_MS = 100.0
Note = Callable[[int, str], None]
"""(turn, why what is told of it is not certain)"""


@dataclass
class Heard:
    """The replayed utterance that is open."""

    turn_id: int
    began_at: float


class Transcripts:
    """Answers for the recogniser out of what it said in the recorded call."""

    def __init__(self, recording: Recording, note: Note) -> None:
        """Answer from ``recording``; say through ``note`` what is guessed."""
        self._recording = recording
        self._note = note
        self._open: Heard | None = None
        self._used: dict[int, int] = {}
        """Recorded turn → words of it that an earlier replayed utterance has had."""
        waits = [
            final.at_ms - one.finalized_at[finalize_id]
            for one in recording.utterances
            for finalize_id, final in one.finals.items()
            if finalize_id in one.finalized_at
        ]
        self._usual_ms = statistics.median(waits) if waits else _TYPICAL_FINAL_MS

    def begin(self, turn_id: int, at: float) -> None:
        """An utterance was opened."""
        self._open = Heard(turn_id, at)

    def end(self, at: float) -> None:
        """The open utterance is over; the words so far are its own."""
        if self._open is None:
            return
        for one in self._within(self._open, at):
            self._used[one.turn_id] = len(one.text_at(at).split())
        self._open = None

    def map(self, event: Event) -> Event | None:
        """A recorded event about an utterance, as one about the utterance that is open now; None where none is."""
        heard, text = self._open, getattr(event, "text", None)
        if heard is None:
            return None
        told: dict[str, Any] = {"turn_id": heard.turn_id}
        if text is not None:
            told["text"] = self._text(heard, event.at_ms)
        return dataclasses.replace(event, **told)

    def finalize(self, turn_id: int, finalize_id: int, at: float) -> FinalHeard | None:
        """The answer to a finalize; None where the recorded recogniser would not have answered."""
        heard = self._open
        around = self._within(heard, at) if heard is not None and heard.turn_id == turn_id else []
        if heard is None or not around or not any(one.texts for one in around):
            return None
        one = around[-1]
        spoken = self._recording.last_speech_before(at)
        same_sound = [
            (abs(asked - at), asked, one.finals[number])
            for number, asked in one.finalized_at.items()
            if number in one.finals and self._recording.last_speech_before(asked) == spoken
        ]
        if same_sound:
            _, asked, final = min(same_sound, key=lambda found: found[0])
            answered_at = at + final.at_ms - asked
            text = self._text(heard, answered_at, {one.turn_id: final.text})
            return dataclasses.replace(final, at_ms=answered_at, turn_id=turn_id, finalize_id=finalize_id, text=text)
        self._note(turn_id, "the recogniser was not asked at this pause: its last partial is taken")
        answered_at = at + self._usual_ms
        return FinalHeard(answered_at, turn_id, finalize_id, self._text(heard, answered_at))

    def _within(self, heard: Heard, at: float) -> list[Recognised]:
        return [one for one in self._recording.utterances if one.began_at <= at and one.ended_at > heard.began_at]

    def _text(self, heard: Heard, at: float, instead: dict[int, str] | None = None) -> str:
        around = self._within(heard, at)
        parts = []
        for one in around:
            text = (instead or {}).get(one.turn_id, one.text_at(at))
            if used := self._used.get(one.turn_id, 0):
                text = " ".join(text.split()[used:])
                self._note(heard.turn_id, "its transcript is the rest of a recorded one")
            parts.append(text)
        if len([part for part in parts if part.strip()]) > 1:
            self._note(heard.turn_id, "its transcript is put together from several recorded ones")
        # One recorded transcript is passed on to the letter: what the cues said of it was recorded too.
        return parts[0] if len(parts) == 1 else " ".join(part.strip() for part in parts if part.strip())
