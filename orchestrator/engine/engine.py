"""The turn engine: events in, actions out. It awaits nothing, reads no clock and opens nothing."""

from __future__ import annotations

from orchestrator.engine import events
from orchestrator.engine.actions import (
    Action,
    BeginUtterance,
    EndUtterance,
    Finalize,
    HangUp,
    HangUpReason,
    Outcome,
    Prompt,
    TurnState,
)
from orchestrator.engine.answering import Answering
from orchestrator.engine.barge_in import Verdict, judge
from orchestrator.engine.cues import Cues
from orchestrator.engine.endpointing import MediaClock, Utterance, wait_for
from orchestrator.engine.events import Event
from orchestrator.engine.settings import EngineSettings
from orchestrator.engine.speech import WINDOW_MS, SpeechGate
from orchestrator.engine.turns import Ids, Turn, Turns

# Deadlines are computed in floating point; a tick that comes this much before one counts as on time.
_EPSILON_MS = 0.01


def keys_text(digits: str) -> str:
    """How pressed keys read in a transcript."""
    return f"[keys pressed: {' '.join(digits)}]"


class TurnEngine:
    """Decides when the caller has finished, when the agent speaks, and when it stops.

    Feed it every event in the order of time; carry out what it returns; call it with a ``Tick`` at ``next_deadline``.
    ``speculate`` says whether replies may be begun before a turn is committed.
    """

    def __init__(
        self, settings: EngineSettings, cues: Cues, ids: Ids | None = None, *, speculate: bool = False
    ) -> None:
        self._settings = settings
        self._cues = cues
        self.ids = ids or Ids()
        self._speculate = speculate and settings.speculation.enabled
        self._out: list[Action] = []
        self._turns = Turns()
        self._answering = Answering(settings.watchdogs, self._turns, self.ids, self._out)
        self._gate = SpeechGate(settings.speech)
        self._clock = MediaClock()
        self._utterance: Utterance | None = None
        self._began_at_ms = 0.0
        self._paused_run_ms: float | None = None
        self._digits = ""
        self._digit_at_ms = 0.0
        self._started_at_ms = 0.0
        self._now = 0.0
        self._over = False
        self._hanging_up = False

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
        due = [self._started_at_ms + self._settings.watchdogs.max_call_ms] if not self._hanging_up else []
        utterance, agent = self._utterance, self._answering.agent
        if utterance is not None and utterance.ended_ms is not None and self._holding_for_hint():
            due.append(self._clock.stalled_at_ms)
        elif utterance is not None and utterance.ended_ms is not None:
            if not utterance.finalize_valid and not utterance.failed:
                wait = self._settings.endpointing.finalize_after_ms
                due.append(self._clock.deadline(utterance.ended_ms, wait))
            due.append(self._clock.deadline(utterance.ended_ms, self._wait_for(utterance)))
        if agent is not None and agent.paused_at_ms is not None:
            due.append(agent.paused_at_ms + self._settings.barge_in.confirm_within_ms)
        if (overdue := self._answering.next_deadline()) is not None:
            due.append(overdue)
        if self._digits and utterance is None:
            due.append(self._digit_at_ms + self._settings.endpointing.digits_pause_ms)
        return min(due, default=None)

    @property
    def open_turns(self) -> tuple[int, ...]:
        """Turns without an outcome yet."""
        return tuple(self._turns.open)

    # --------------------------------------------------------------------------------------------------- taking up

    def _take(self, event: Event) -> None:  # noqa: PLR0912 - a table of events reads best as one
        answering = self._answering
        match event:
            case events.SpeechWindow():
                self._window(event)
            case events.PartialHeard(turn_id=turn_id, text=text, covers_ms=covers_ms):
                if utterance := self._open(turn_id):
                    utterance.hear_partial(text, covers_ms)
            case events.FinalHeard(turn_id=turn_id, finalize_id=finalize_id, text=text):
                if utterance := self._open(turn_id):
                    utterance.hear_final(finalize_id, text)
            case events.EndOfTurnJudged(turn_id=turn_id, probability=probability):
                if utterance := self._open(turn_id):
                    utterance.end_of_turn = probability
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
            case events.PlayoutStarted(playout_id=playout_id):
                answering.playout_started(playout_id)
            case events.PlayoutProgress(playout_id=playout_id, heard_ms=heard_ms):
                answering.playout_progress(playout_id, heard_ms)
            case events.PlayoutFinished(playout_id=playout_id, failed=failed):
                answering.playout_finished(playout_id, failed=failed)
            case events.DigitPressed(digit=digit):
                self._digits += digit
                self._digit_at_ms = self._now
                answering.cancel(Outcome.INTERRUPTED)
            case events.CallStarted(greet=greet):
                self._started_at_ms = self._now
                if greet:
                    answering.say(Prompt.GREETING, self._now)
            case events.TurnTakenOver():
                self._take_over(event)
            case events.CallEnded():
                self._end()
            case events.Tick():
                self._clock.look(self._now + _EPSILON_MS)

    def _open(self, turn_id: int) -> Utterance | None:
        """The open utterance, if that turn's it is: a transcript that comes after its utterance ended means nothing."""
        utterance = self._utterance
        return utterance if utterance is not None and utterance.turn_id == turn_id else None

    def _window(self, window: events.SpeechWindow) -> None:
        self._clock.advance(window.end_ms, self._now)
        if window.end_ms <= self._settings.speech.deaf_start_ms:
            return
        spoke = self._gate.speaking
        self._gate.push(window.end_ms, window.probability, window.level_dbfs)
        if self._gate.speaking:
            if not spoke:
                self._speech_began()
            if self._utterance is not None:
                windows = 1 if spoke else self._gate.run_windows
                self._utterance.speech_ms += windows * WINDOW_MS
        elif spoke and self._utterance is not None:
            self._utterance.ended_ms = self._gate.ended_ms

    def _speech_began(self) -> None:
        if self._utterance is not None:
            self._utterance.resume()
            turn = self._turns.open[self._utterance.turn_id]
            if self._answering.early is not None:
                self._answering.drop_early(turn)
                self._listen(turn)
            return
        turn_id = self.ids.next_turn()
        self._utterance = Utterance(turn_id, self._gate.began_ms)
        self._began_at_ms = self._now - self._gate.run_windows * WINDOW_MS
        self._paused_run_ms = None
        self._out.append(BeginUtterance(turn_id, max(0.0, self._gate.began_ms - self._settings.speech.pre_roll_ms)))
        self._out.append(self._turns.begin(turn_id))

    # ---------------------------------------------------------------------------------------------------- deciding

    def _settle(self) -> None:
        self._consider_interruption()
        self._consider_endpoint()
        self._consider_digits()
        self._answering.settle(self._now)
        if not self._hanging_up and self._due(self._started_at_ms + self._settings.watchdogs.max_call_ms):
            self._hanging_up = True
            self._out.append(HangUp(HangUpReason.MAX_DURATION))

    def _due(self, deadline_ms: float) -> bool:
        return self._now >= deadline_ms - _EPSILON_MS

    def _consider_interruption(self) -> None:
        utterance, agent = self._utterance, self._answering.agent
        if utterance is None or agent is None:
            return
        settings = self._settings
        verdict = judge(utterance, agent, self._began_at_ms, settings.barge_in, settings.endpointing, self._cues)
        if verdict is not Verdict.UNDECIDED:
            if verdict is Verdict.GOES_ON:
                self._join(self._turns.open[utterance.turn_id], agent.turn_id)
                self._answering.cancel(Outcome.DISCARDED)
            else:
                self._answering.cancel(Outcome.INTERRUPTED)
            return
        if agent.paused_at_ms is not None:
            if self._due(agent.paused_at_ms + settings.barge_in.confirm_within_ms):
                self._answering.resume()
        elif (
            self._gate.speaking
            and self._gate.run_windows >= settings.barge_in.pause_windows
            # One stretch of speech pauses the agent once: after a resume, only words or length can stop it again.
            and self._paused_run_ms != self._gate.began_ms
        ):
            self._paused_run_ms = self._gate.began_ms
            self._answering.pause(self._now)

    def _join(self, turn: Turn, joined_turn_id: int) -> None:
        joined = self._turns.open.get(joined_turn_id)
        if joined is None:
            return
        turn.joins = joined.turn_id
        turn.joined_text = joined.text
        self._out.append(self._turns.report(turn))

    def _consider_endpoint(self) -> None:
        utterance = self._utterance
        if utterance is None:
            return
        settings = self._settings.endpointing
        if utterance.ended_ms is None:
            if utterance.forced_at_ms is None:
                if self._gate.now_ms - utterance.began_ms >= settings.max_utterance_ms:
                    utterance.forced_at_ms = self._now
                    if utterance.failed:
                        self._recognition_failed(utterance)
                    else:
                        self._finalize(utterance)
            elif utterance.settled or self._due(utterance.forced_at_ms + settings.cap_ms):
                self._decide(utterance)
            return
        if self._holding_for_hint():
            return
        silence = self._clock.silence_ms(utterance.ended_ms, self._now) + _EPSILON_MS
        if utterance.failed:
            if silence >= self._wait_for(utterance):
                self._recognition_failed(utterance)
            return
        if not utterance.finalize_valid and silence >= settings.finalize_after_ms:
            self._finalize(utterance)
        if silence >= self._wait_for(utterance):
            self._decide(utterance)
        else:
            self._consider_speculation(utterance)

    def _holding_for_hint(self) -> bool:
        """Whether the last window hints at speech, so that the next one decides, if the line gives one."""
        return self._gate.hinted and not self._clock.stalled

    def _wait_for(self, utterance: Utterance) -> float:
        return wait_for(utterance, self._settings.endpointing, self._cues)

    def _finalize(self, utterance: Utterance) -> None:
        utterance.finalize_id += 1
        utterance.finalize_valid = True
        self._out.append(Finalize(utterance.turn_id, utterance.finalize_id))

    def _consider_speculation(self, utterance: Utterance) -> None:
        settings, answering = self._settings.speculation, self._answering
        if not self._speculate or answering.agent is not None or answering.early is not None:
            return
        if not utterance.settled or not utterance.text.strip() or utterance.candidates >= settings.max_per_turn:
            return
        if self._wait_for(utterance) > self._settings.endpointing.complete_ms or self._digits:
            return
        if self._gate.now_ms - utterance.began_ms > settings.max_utterance_ms:
            return
        utterance.candidates += 1
        turn = self._turns.open[utterance.turn_id]
        answering.speculate(turn, self._whole_text(turn, utterance.text), self._now)

    def _decide(self, utterance: Utterance) -> None:
        """The silence was long enough: answer, or find that there is nothing to answer."""
        turn = self._turns.open[utterance.turn_id]
        if not utterance.text.strip() and not utterance.settled:
            self._recognition_failed(utterance)
            return
        agent = self._answering.agent
        text = self._whole_text(turn, "" if agent is not None else utterance.text)
        self._utterance = None
        if not text:
            # Noise, or a sign of listening: whatever the agent was saying goes on.
            self._discard(turn)
            return
        self._out.append(EndUtterance(turn.turn_id, text=utterance.text.strip()))
        self._commit(turn, text, utterance)

    def _recognition_failed(self, utterance: Utterance) -> None:
        self._utterance = None
        turn = self._turns.open[utterance.turn_id]
        text = self._whole_text(turn, utterance.text)
        if self._answering.agent is not None:
            self._discard(turn, Outcome.ERROR)
        elif text:
            self._out.append(EndUtterance(turn.turn_id, discard=True))
            self._commit(turn, text, utterance)
        else:
            self._answering.drop_early(turn)
            self._out.append(EndUtterance(turn.turn_id, discard=True))
            self._answering.say(Prompt.NOT_UNDERSTOOD, self._now, turn.turn_id, failed=True)

    def _discard(self, turn: Turn, outcome: Outcome = Outcome.DISCARDED) -> None:
        self._answering.drop_early(turn)
        self._out.append(EndUtterance(turn.turn_id, discard=True))
        self._out.extend(self._turns.end(turn.turn_id, outcome))
        self._answering.resume()

    def _whole_text(self, turn: Turn, text: str) -> str:
        digits, self._digits = self._digits, ""
        return " ".join(part for part in (turn.joined_text, text.strip(), keys_text(digits) if digits else "") if part)

    def _consider_digits(self) -> None:
        if not self._digits or self._utterance is not None:
            return
        done = self._digits.endswith("#")
        if not done and not self._due(self._digit_at_ms + self._settings.endpointing.digits_pause_ms):
            return
        self._answering.cancel(Outcome.INTERRUPTED)
        turn_id = self.ids.next_turn()
        self._out.append(self._turns.begin(turn_id))
        turn = self._turns.open[turn_id]
        text = self._whole_text(turn, "")
        lag = self._now - self._digit_at_ms
        self._answering.commit(
            turn, text, self._now, eos_ms=max(0.0, self._clock.media_ms - lag), eos_at_ms=self._digit_at_ms
        )

    def _commit(self, turn: Turn, text: str, utterance: Utterance) -> None:
        eos_ms = self._clock.media_ms if utterance.ended_ms is None else utterance.ended_ms
        eos_at_ms = self._clock.at_ms - (self._clock.media_ms - eos_ms)
        self._answering.commit(turn, text, self._now, eos_ms=eos_ms, eos_at_ms=eos_at_ms)

    def _listen(self, turn: Turn) -> None:
        self._out.extend(self._turns.enter(turn, TurnState.LISTENING))

    def _take_over(self, event: events.TurnTakenOver) -> None:
        self._out.append(self._turns.begin(event.turn_id))
        turn = self._turns.open[event.turn_id]
        if event.candidate_id:
            turn.text = event.text
            self._answering.take_over(turn, event.candidate_id, event.continues_playout_id, self._now)
        else:
            self._answering.commit(turn, event.text, self._now, eos_ms=0.0, eos_at_ms=self._now)

    # ------------------------------------------------------------------------------------------------------ the end

    def _end(self) -> None:
        answering = self._answering
        if self._utterance is not None:
            turn = self._turns.open[self._utterance.turn_id]
            answering.drop_early(turn)
            self._out.append(EndUtterance(turn.turn_id, discard=True))
            self._out.extend(self._turns.end(turn.turn_id, Outcome.DISCARDED))
            self._utterance = None
        answering.cancel(Outcome.INTERRUPTED)
        for turn_id in tuple(self._turns.open):
            self._out.extend(self._turns.end(turn_id, Outcome.DISCARDED))
        self._over = True
