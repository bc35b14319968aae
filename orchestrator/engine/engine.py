"""The turn engine: events in, actions out. It awaits nothing, reads no clock and opens nothing.

This module takes events to the part that they concern and asks every part what is due: `deciding` (has the caller
finished?), `interrupting` (does the caller mean to interrupt?), `answering` (how does the reply fare?) and `presence`
(is the caller still there, is the call too long?).
"""

from __future__ import annotations

from orchestrator.engine import events
from orchestrator.engine.actions import Action, BeginUtterance, EndpointRule, EndUtterance, Outcome, Prompt, TurnState
from orchestrator.engine.answering import Answering
from orchestrator.engine.caller import EPSILON_MS, Caller
from orchestrator.engine.cues import Cues
from orchestrator.engine.deciding import Deciding
from orchestrator.engine.endpointing import Utterance
from orchestrator.engine.events import Event
from orchestrator.engine.interrupting import Interrupting
from orchestrator.engine.presence import Presence
from orchestrator.engine.settings import EngineSettings
from orchestrator.engine.speaking_language import LanguagePolicy, SpeakingLanguage
from orchestrator.engine.speech import WINDOW_MS
from orchestrator.engine.turns import Ids, Turns


class TurnEngine:
    """Decides when the caller has finished, when the agent speaks, and when it stops.

    Feed it every event in the order of time; carry out what it returns; call it with a ``Tick`` at ``next_deadline``.
    ``speculate`` says whether replies may be begun before a turn is committed; ``languages`` follows the caller's
    language, where there is more than one to choose from.
    """

    def __init__(
        self,
        settings: EngineSettings,
        cues: Cues,
        ids: Ids | None = None,
        *,
        speculate: bool = False,
        languages: LanguagePolicy | None = None,
    ) -> None:
        self._settings = settings
        self.ids = ids or Ids()
        self._out: list[Action] = []
        self._turns = Turns()
        self._caller = Caller(settings, cues)
        self._answering = Answering(settings.watchdogs, self._turns, self.ids, self._out)
        language = SpeakingLanguage(languages, self._caller, self._out)
        self._deciding = Deciding(
            self._caller, self._answering, self._turns, self.ids, language, self._out, speculate=speculate
        )
        self._interrupting = Interrupting(self._caller, self._answering, self._turns, self._out)
        self._presence = Presence(settings, self._caller, self._answering)
        self._now = 0.0
        self._over = False

    def handle(self, event: Event) -> list[Action]:
        """Take up one event; return what is to be done, in order. After ``CallEnded`` nothing ever is."""
        if self._over:
            return []
        self._now = max(self._now, event.at_ms)
        self._out.clear()
        self._take(event)
        if not self._over:
            self._settle()
        return list(self._out)

    def next_deadline(self) -> float | None:
        """When to send a ``Tick``, in monotonic ms, if nothing else comes before; None for never."""
        if self._over:
            return None
        parts = (self._interrupting, self._deciding, self._answering, self._presence)
        return min((due for part in parts if (due := part.next_deadline()) is not None), default=None)

    @property
    def open_turns(self) -> tuple[int, ...]:
        """Turns without an outcome yet."""
        return tuple(self._turns.open)

    def _settle(self) -> None:
        self._interrupting.consider(self._now)
        self._deciding.consider(self._now)
        self._answering.settle(self._now + EPSILON_MS)
        if self._deciding.committed:
            self._deciding.committed = False
            self._presence.caller_acted()
        self._presence.consider(self._now)

    # --------------------------------------------------------------------------------------------------- taking up

    def _take(self, event: Event) -> None:  # noqa: PLR0912, PLR0915 - a table of events reads best as one
        answering, caller = self._answering, self._caller
        match event:
            case events.SpeechWindow():
                self._window(event)
            case events.PartialHeard(turn_id=turn_id, text=text, covers_ms=covers_ms):
                if utterance := self._open(turn_id):
                    utterance.hear_partial(text, covers_ms)
            case events.FinalHeard(turn_id=turn_id):
                utterance = self._open(turn_id)
                if utterance is not None and utterance.hear_final(event.finalize_id, event.text):
                    utterance.language = event.language
                    utterance.language_confidence = event.language_confidence
            case events.EndOfTurnJudged(turn_id=turn_id, probability=probability, covers_ms=covers_ms):
                if utterance := self._open(turn_id):
                    utterance.judge_end(probability, covers_ms)
            case events.RecognitionFailed(turn_id=turn_id):
                if utterance := self._open(turn_id):
                    # Nobody is told in mid-speech that they were not understood.
                    utterance.failed = True
            case events.ReplyContent(candidate_id=candidate_id):
                answering.content(candidate_id, self._now)
            case events.ReplyWritten(candidate_id=candidate_id, silent=silent):
                answering.written(candidate_id, silent=silent)
            case events.ReplyFailed(candidate_id=candidate_id, audible=audible):
                answering.reply_failed(candidate_id, self._now, audible=audible)
            case events.HangUpAsked(candidate_id=candidate_id):
                answering.hang_up_after(candidate_id)
            case events.PlayoutStarted(playout_id=playout_id, coming=coming):
                answering.playout_started(playout_id)
                caller.hears_agent("", coming, self._now)
            case events.PlayoutProgress(playout_id=playout_id, heard_ms=heard_ms):
                answering.playout_progress(playout_id, heard_ms)
                caller.hears_agent(event.said, event.coming, self._now)
            case events.PlayoutFinished(playout_id=playout_id, failed=failed):
                if event.said:
                    caller.hears_agent(event.said, "", self._now)
                answering.playout_finished(playout_id, failed=failed)
            case events.DigitPressed(digit=digit):
                caller.digits += digit
                caller.digit_at_ms = self._now
                self._presence.caller_acted()
                answering.cancel(Outcome.INTERRUPTED)
            case events.ServicesLoad(share=share):
                self._deciding.load = share
            case events.CallStarted():
                self._start(event)
            case events.TurnTakenOver():
                self._take_over(event)
            case events.CallEnded():
                self._end()
            case events.Tick():
                caller.clock.look(self._now + EPSILON_MS)

    def _open(self, turn_id: int) -> Utterance | None:
        return self._caller.open(turn_id)

    def _window(self, window: events.SpeechWindow) -> None:
        caller = self._caller
        caller.clock.advance(window.end_ms, self._now)
        if window.end_ms <= self._settings.speech.deaf_start_ms:
            return
        gate, spoke = caller.gate, caller.gate.speaking
        gate.push(window.end_ms, window.probability, window.level_dbfs)
        caller.guard.window(window.level_dbfs, window.agent_dbfs, speaking=gate.speaking)
        if gate.speaking:
            if not spoke:
                self._speech_began()
            if caller.utterance is not None:
                more_ms = (1 if spoke else gate.run_windows) * WINDOW_MS
                caller.utterance.speech_ms += more_ms
                caller.utterance.stretch_ms += more_ms
        elif spoke and caller.utterance is not None:
            caller.utterance.ended_ms = gate.ended_ms

    def _speech_began(self) -> None:
        caller, gate = self._caller, self._caller.gate
        utterance = caller.utterance
        if utterance is not None:
            if utterance.ended_ms is not None and self._answering.agent is None:
                caller.patience.went_on(utterance, gate.began_ms - utterance.ended_ms, caller.cues)
            utterance.resume()
            turn = self._turns.open[utterance.turn_id]
            if self._answering.early is not None:
                self._answering.drop_early(turn)
                self._out.extend(self._turns.enter(turn, TurnState.LISTENING))
            return
        turn_id = self.ids.next_turn()
        caller.utterance = Utterance(turn_id, gate.began_ms)
        caller.began_at_ms = self._now - gate.run_windows * WINDOW_MS
        if self._answering.agent is not None:
            since_ms = self._now - caller.began_at_ms
            caller.utterance.reply_heard_ms = max(0.0, self._answering.agent.total_heard_ms - since_ms)
        # What sounded before may be a first word that the detector missed; while we are heard, it may be our own.
        began_ms = gate.began_ms if caller.guard.audible else gate.sound_began_ms
        pre_roll_ms = began_ms - self._settings.speech.pre_roll_ms
        # What was answered already is not to be understood twice.
        self._out.append(BeginUtterance(turn_id, max(0.0, min(max(pre_roll_ms, caller.answered_ms), gate.began_ms))))
        self._out.append(self._turns.begin(turn_id))

    # -------------------------------------------------------------------------------------------- beginning and end

    def _start(self, event: events.CallStarted) -> None:
        self._presence.call_started(self._now)
        self._interrupting.can_duck = event.can_duck
        self._answering.can_take_message = event.can_take_message
        self._answering.has_fallback = event.has_fallback
        if event.greet:
            self._answering.say(Prompt.GREETING, self._now)

    def _take_over(self, event: events.TurnTakenOver) -> None:
        self._answering.cancel(Outcome.INTERRUPTED)
        self._out.append(self._turns.begin(event.turn_id))
        turn = self._turns.open[event.turn_id]
        if event.candidate_id:
            turn.text = event.text
            self._answering.take_over(turn, event.candidate_id, event.continues_playout_id, self._now)
        else:
            self._answering.commit(
                turn, event.text, self._now, eos_ms=0.0, eos_at_ms=self._now, rule=EndpointRule.TAKEN_OVER
            )

    def _end(self) -> None:
        answering, caller = self._answering, self._caller
        if caller.utterance is not None:
            turn = self._turns.open[caller.utterance.turn_id]
            answering.drop_early(turn)
            self._out.append(EndUtterance(turn.turn_id, discard=True))
            self._out.extend(self._turns.end(turn.turn_id, Outcome.DISCARDED))
            caller.utterance = None
        answering.cancel(Outcome.INTERRUPTED)
        for turn_id in tuple(self._turns.open):
            self._out.extend(self._turns.end(turn_id, Outcome.DISCARDED))
        self._over = True
