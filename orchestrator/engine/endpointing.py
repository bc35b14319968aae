"""How do we know that the caller has finished?

Silence is counted from the acoustic end of speech, and in media time: sound that is late is not silence. After
``finalize_after_ms`` of it the recogniser is asked for its best transcript; how much longer to wait depends on what
the transcript looks like, on how this caller pauses, and on whether they are dictating.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.engine.actions import EndpointRule
from orchestrator.engine.cues import Cues, words_of
from orchestrator.engine.pauses import LearnedPauses
from orchestrator.engine.punctuation import Punctuation
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
    whole_words: bool = False
    """Whether the text ends where a word does: that of a partial may be the beginning of another."""
    partials: bool = False
    """Whether the recogniser tells what it hears in mid-speech, be it nothing as yet."""
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
    stretch_ms: float = 0.0
    """Of that, since the last pause."""
    forced_at_ms: float | None = None
    """When, monotonic, it reached the longest allowed length and was finalized in mid-speech."""
    candidates: int = 0
    """Speculative replies begun on it."""
    failed: bool = False
    """Whether no recogniser will say any more about it."""
    language: str = ""
    """Language of the best transcript, where the recogniser tells."""
    language_confidence: float = 0.0
    loud: bool = False
    """Whether it was too loud for an echo of the agent."""
    echoed: bool = False
    """Whether its words, as far as they are known, are the agent's."""
    reply_heard_ms: float = 0.0
    """How much of the agent's reply the caller had heard when they began to speak."""
    compared: str = ""
    """The text that was last compared with what the agent said."""
    taught: bool = False
    """Whether the level of an echo was learned from it."""

    @property
    def settled(self) -> bool:
        """Whether the transcript accounts for everything that was said."""
        return self.finalize_valid and self.final_id == self.finalize_id and not self.moved

    def resume(self) -> None:
        """The caller speaks again: the last transcript is no longer the whole."""
        self.ended_ms = None
        self.stretch_ms = 0.0
        if self.forced_at_ms is None:
            self.finalize_valid = False
        self.end_of_turn = None

    def hear_partial(self, text: str, covers_ms: float) -> None:
        """Take up a partial, unless a settled final already knows better."""
        self.partials = True
        if not text:
            return
        if self.settled and covers_ms and self.ended_ms is not None and covers_ms <= self.ended_ms + _COVERED_MS:
            return  # a partial overtaken by the final
        if self.settled and words_of(text) != words_of(self.text):
            self.moved = True
        self.text = text
        self.whole_words = False
        self.partial_covers_ms = covers_ms

    def hear_final(self, finalize_id: int, text: str) -> bool:
        """Take up a final, unless a later one came before it."""
        if finalize_id < self.final_id:
            return False
        self.final_id = finalize_id
        self.text = text
        self.whole_words = True
        self.moved = False
        return True

    def judge_end(self, probability: float, covers_ms: float) -> None:
        """Take up an end-of-turn model's opinion, if it has heard the silence that it is about."""
        if self.ended_ms is not None and (not covers_ms or covers_ms >= self.ended_ms - _COVERED_MS):
            self.end_of_turn = probability


@dataclass(frozen=True, slots=True)
class Wait:
    """Silence, in ms from the acoustic end of speech, after which the turn is decided, and why so long."""

    ms: float
    rule: EndpointRule


class Patience:
    """How long to wait for one call's caller."""

    def __init__(self, settings: EndpointingSettings) -> None:
        self._settings = settings
        self.pauses = LearnedPauses(settings.pauses)
        """How this caller pauses in mid-turn."""
        self.expects_entity = False
        """Whether the agent has just asked for something that is dictated."""
        self.punctuation = Punctuation()
        """Whether the recogniser closes sentences with a mark, so that one without is none."""

    def wait_for(self, utterance: Utterance, cues: Cues) -> Wait:
        """How long to wait for the caller to go on, as things stand."""
        settings = self._settings
        if utterance.failed:
            return Wait(settings.complete_ms, EndpointRule.FAILED)
        if utterance.settled and utterance.forced_at_ms is not None:
            return Wait(0.0, EndpointRule.LENGTH)
        if utterance.echoed:
            return Wait(settings.complete_ms, EndpointRule.COMPLETE)  # ours, and over
        rule = self._rule(utterance, cues)
        if self.expects_entity or (utterance.text and cues.is_dictating(utterance.text)):
            entity = settings.entity
            if self.expects_entity and rule is EndpointRule.COMPLETE and cues.is_open_entity(utterance.text):
                rule = EndpointRule.UNFINISHED
            waits = {EndpointRule.UNFINISHED: entity.unfinished_ms, EndpointRule.CAP: entity.cap_ms}
            return Wait(max(waits.get(rule, entity.complete_ms), self._usual_ms(rule)), rule)
        usual_ms = self._usual_ms(rule)
        if rule is EndpointRule.COMPLETE and utterance.reply_heard_ms > 0 and _is_a_first_word(utterance.text, cues):
            return Wait(max(settings.one_word_ms, usual_ms), rule)
        return Wait(usual_ms, rule)

    def _rule(self, utterance: Utterance, cues: Cues) -> EndpointRule:
        if utterance.settled:
            if not utterance.text.strip():
                return EndpointRule.LATE
            unfinished = self._looks_unfinished(utterance, cues)
            return EndpointRule.UNFINISHED if unfinished else EndpointRule.COMPLETE
        if utterance.moved:
            return EndpointRule.LATE
        heard_all = utterance.ended_ms is not None and utterance.partial_covers_ms >= utterance.ended_ms - _COVERED_MS
        if utterance.text and heard_all:
            return EndpointRule.UNFINISHED if self._looks_unfinished(utterance, cues) else EndpointRule.LATE
        return EndpointRule.CAP

    def _looks_unfinished(self, utterance: Utterance, cues: Cues) -> bool:
        if utterance.end_of_turn is not None:
            return utterance.end_of_turn < self._settings.end_of_turn_threshold
        return cues.looks_unfinished(utterance.text) or self.punctuation.is_missed(utterance.text)

    def _usual_ms(self, rule: EndpointRule) -> float:
        settings = self._settings
        match rule:
            case EndpointRule.COMPLETE:
                # No longer than for a transcript that is late: by then most of those who pause have gone on.
                longer = settings.complete_ms + self.pauses.allowance_ms
                return max(settings.complete_ms, min(longer, settings.late_ms))
            case EndpointRule.UNFINISHED:
                return settings.unfinished_ms
            case EndpointRule.LATE:
                return settings.late_ms
        return settings.cap_ms

    def went_on(self, utterance: Utterance, pause_ms: float, cues: Cues) -> None:
        """The caller went on after a pause of so long, nothing of the agent being heard meanwhile.

        Pauses in mid-phrase teach nothing: those are waited for as it is.
        """
        if pause_ms < self._settings.finalize_after_ms or not utterance.settled or not utterance.text:
            return
        if not self._looks_unfinished(utterance, cues):
            self.pauses.learn(pause_ms)


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


def _is_a_first_word(text: str, cues: Cues) -> bool:
    """Whether somebody who spoke over the agent has said "stop", or the "all" of "all right", and nothing else yet."""
    return cues.begins_backchannel(text) or (len(words_of(text)) == 1 and cues.interrupts(text))
