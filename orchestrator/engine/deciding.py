"""The caller has been silent for a while: have they finished, what did they say, and is there anything to answer?"""

from __future__ import annotations

from orchestrator.engine.actions import (
    Action,
    EndpointRule,
    EndUtterance,
    Finalize,
    Outcome,
    Prompt,
)
from orchestrator.engine.answering import Answering
from orchestrator.engine.caller import EPSILON_MS, Caller
from orchestrator.engine.endpointing import Utterance
from orchestrator.engine.speaking_language import SpeakingLanguage
from orchestrator.engine.speech import WINDOW_MS
from orchestrator.engine.turns import Ids, Turn, Turns

# Who says more than this after an offer has something else in mind.
_ACCEPTING_WORDS = 5
# So long after its acoustic end there may be a trace of the last word.
_DYING_AWAY_MS = 64.0


class Deciding:
    """Ends utterances and gives the agent the turn. Appends to ``out`` what is to be done."""

    def __init__(  # the parts of one engine
        self,
        caller: Caller,
        answering: Answering,
        turns: Turns,
        ids: Ids,
        language: SpeakingLanguage,
        out: list[Action],
        *,
        speculate: bool,
    ) -> None:
        self._caller = caller
        self._answering = answering
        self._turns = turns
        self._ids = ids
        self._language = language
        self._out = out
        self._speculate = speculate and caller.settings.speculation.enabled
        self.load = 0.0
        """Share of slots in use at the busiest speech service."""
        self.committed = False
        """Whether a turn was committed since this was last set to False."""

    def next_deadline(self) -> float | None:
        """When ``consider`` has something to do though nothing happens, monotonic ms; None for never."""
        caller = self._caller
        utterance = caller.utterance
        if utterance is None:
            return caller.digit_at_ms + caller.settings.endpointing.digits_pause_ms if caller.digits else None
        if utterance.ended_ms is None:
            return None
        if caller.holding_for_hint:
            return caller.clock.stalled_at_ms
        due = caller.clock.deadline(utterance.ended_ms, caller.wait_for(utterance).ms)
        if not utterance.finalize_valid and not utterance.failed:
            due = min(due, caller.clock.deadline(utterance.ended_ms, self._ask_after_ms))
        return due

    def consider(self, now_ms: float) -> None:
        """Act on what is known by now."""
        if self._caller.utterance is not None:
            self._consider_utterance(self._caller.utterance, now_ms)
        if self._caller.utterance is None:
            self._consider_digits(now_ms)

    # ----------------------------------------------------------------------------------------------------- speech

    def _consider_utterance(self, utterance: Utterance, now_ms: float) -> None:
        caller = self._caller
        settings = caller.settings.endpointing
        if utterance.ended_ms is None:
            if utterance.forced_at_ms is None:
                self._finalize_early(utterance)
                if caller.gate.now_ms - utterance.began_ms >= settings.max_utterance_ms:
                    utterance.forced_at_ms = now_ms
                    if utterance.failed:
                        self._recognition_failed(utterance, now_ms)
                    else:
                        self._finalize(utterance)
            elif utterance.settled or now_ms >= utterance.forced_at_ms + settings.cap_ms - EPSILON_MS:
                self._decide(utterance, now_ms)
            return
        if caller.holding_for_hint:
            return
        silence_ms = caller.clock.silence_ms(utterance.ended_ms, now_ms) + EPSILON_MS
        if utterance.failed:
            if silence_ms >= caller.wait_for(utterance).ms:
                self._recognition_failed(utterance, now_ms)
            return
        if not utterance.finalize_valid and silence_ms >= self._ask_after_ms:
            self._finalize(utterance)
        if silence_ms >= caller.wait_for(utterance).ms:
            self._decide(utterance, now_ms)
        else:
            self._consider_speculation(utterance, now_ms)

    @property
    def _ask_after_ms(self) -> float:
        """Silence after which the transcript is asked for: sooner while the agent holds its breath for it."""
        settings, agent = self._caller.settings, self._answering.agent
        usual_ms = settings.endpointing.finalize_after_ms
        return min(usual_ms, settings.barge_in.ask_after_ms) if agent is not None and agent.paused else usual_ms

    def _finalize_early(self, utterance: Utterance) -> None:
        """Ask for the transcript while the detector still lingers behind speech that has faded; void if it goes on."""
        fading_ms = self._caller.gate.fading_ms
        if fading_ms < WINDOW_MS:
            utterance.finalize_valid = False
            return
        agent = self._answering.agent
        wanted = not utterance.finalize_valid and not utterance.failed and (agent is None or agent.paused)
        if wanted and fading_ms >= self._ask_after_ms:
            self._finalize(utterance)

    def _finalize(self, utterance: Utterance) -> None:
        utterance.finalize_id += 1
        utterance.finalize_valid = True
        self._out.append(Finalize(utterance.turn_id, utterance.finalize_id))

    def _consider_speculation(self, utterance: Utterance, now_ms: float) -> None:
        caller, answering = self._caller, self._answering
        settings = caller.settings.speculation
        if not self._speculate or answering.agent is not None or answering.early is not None:
            return
        if not utterance.settled or not utterance.text.strip() or utterance.candidates >= settings.max_per_turn:
            return
        if caller.wait_for(utterance).rule is not EndpointRule.COMPLETE or caller.digits:
            return
        if caller.gate.now_ms - utterance.began_ms > settings.max_utterance_ms or self.load > settings.max_load:
            return
        if answering.message_offered or self._language.would_switch(utterance):
            return
        utterance.candidates += 1
        turn = self._turns.open[utterance.turn_id]
        answering.speculate(turn, self._whole_text(turn, utterance.text), now_ms)

    def _decide(self, utterance: Utterance, now_ms: float) -> None:
        """The silence was long enough: answer, or find that there is nothing to answer."""
        caller, turn = self._caller, self._turns.open[utterance.turn_id]
        if not utterance.text.strip() and not utterance.settled:
            self._recognition_failed(utterance, now_ms)
            return
        # Said over the agent without taking the floor, or by the agent: noise, a sign of listening, an echo.
        passed = self._answering.agent is not None or utterance.echoed
        rule = caller.wait_for(utterance).rule
        text = self._whole_text(turn, "" if passed else utterance.text)
        caller.utterance = None
        if not text:
            self._discard(turn)
            return
        self._out.append(EndUtterance(turn.turn_id, text=utterance.text.strip()))
        if not passed:
            self._language.heard(utterance)
        if self._answering.message_offered and self._accepts(text):
            self._answering.drop_early(turn)
            self._answering.take_message(turn)
            self.committed = True
            return
        self._commit(turn, text, utterance, now_ms, rule)

    def _accepts(self, text: str) -> bool:
        words = text.split()
        return 0 < len(words) <= _ACCEPTING_WORDS and self._caller.cues.is_backchannel(words[0])

    def _recognition_failed(self, utterance: Utterance, now_ms: float) -> None:
        self._caller.utterance = None
        turn = self._turns.open[utterance.turn_id]
        text = self._whole_text(turn, utterance.text)
        if self._answering.agent is not None:
            self._discard(turn, Outcome.ERROR)
        elif text:
            self._out.append(EndUtterance(turn.turn_id, discard=True))
            self._commit(turn, text, utterance, now_ms, EndpointRule.FAILED)
        else:
            self._answering.drop_early(turn)
            self._out.append(EndUtterance(turn.turn_id, discard=True))
            self._answering.say(Prompt.NOT_UNDERSTOOD, now_ms, turn.turn_id, failed=True)
            self.committed = True

    def _discard(self, turn: Turn, outcome: Outcome = Outcome.DISCARDED) -> None:
        self._answering.drop_early(turn)
        self._out.append(EndUtterance(turn.turn_id, discard=True))
        self._out.extend(self._turns.end(turn.turn_id, outcome))
        self._answering.unduck()
        self._answering.resume()

    def _whole_text(self, turn: Turn, text: str) -> str:
        return " ".join(part for part in (turn.joined_text, text.strip(), self._caller.take_digits()) if part)

    def _commit(self, turn: Turn, text: str, utterance: Utterance, now_ms: float, rule: EndpointRule) -> None:
        clock = self._caller.clock
        eos_ms = clock.media_ms if utterance.ended_ms is None else utterance.ended_ms
        eos_at_ms = clock.at_ms - (clock.media_ms - eos_ms)
        self._answering.commit(turn, text, now_ms, eos_ms=eos_ms, eos_at_ms=eos_at_ms, rule=rule)
        self._caller.patience.punctuation.learn(utterance.text)
        if utterance.ended_ms is not None:
            self._caller.answered_ms = utterance.ended_ms + _DYING_AWAY_MS
        self.committed = True

    # ------------------------------------------------------------------------------------------------------- keys

    def _consider_digits(self, now_ms: float) -> None:
        caller = self._caller
        if not caller.digits:
            return
        due_ms = caller.digit_at_ms + caller.settings.endpointing.digits_pause_ms
        if not caller.digits.endswith("#") and now_ms < due_ms - EPSILON_MS:
            return
        self._answering.cancel(Outcome.INTERRUPTED)
        turn_id = self._ids.next_turn()
        self._out.append(self._turns.begin(turn_id))
        turn = self._turns.open[turn_id]
        text = self._whole_text(turn, "")
        eos_ms = max(0.0, caller.clock.media_ms - (now_ms - caller.digit_at_ms))
        self._answering.commit(turn, text, now_ms, eos_ms=eos_ms, eos_at_ms=caller.digit_at_ms, rule=EndpointRule.KEYS)
        self.committed = True
