"""Carries out what the turn engine asks for, and keeps the books: history, records of turns, checkpoints."""

from __future__ import annotations

from orchestrator import engine as turn
from orchestrator.call_context import CallContext
from orchestrator.checkpoint import CallMemory, dump
from orchestrator.engine import Action, Ids, Outcome, Prompt, TurnState
from orchestrator.history import Exchange
from orchestrator.listening import Listening
from orchestrator.playout import duration_of, ms_of
from orchestrator.speaking import Speaking
from orchestrator.spoken import SpokenReply
from orchestrator.taking_over import LeftOver
from orchestrator.turn_record import TurnRecord
from parley.conversation.v1 import conversation_pb2 as conv
from servicekit import semconv

_STATES = {
    TurnState.LISTENING: conv.TURN_STATE_LISTENING,
    TurnState.SPECULATING: conv.TURN_STATE_SPECULATING,
    TurnState.COMMITTED: conv.TURN_STATE_COMMITTED,
    TurnState.SPEAKING: conv.TURN_STATE_SPEAKING,
    TurnState.PAUSED: conv.TURN_STATE_PAUSED,
    TurnState.ENDED: conv.TURN_STATE_ENDED,
}
_OUTCOMES = {
    None: conv.TURN_OUTCOME_UNSPECIFIED,
    Outcome.COMPLETED: conv.TURN_OUTCOME_COMPLETED,
    Outcome.INTERRUPTED: conv.TURN_OUTCOME_INTERRUPTED,
    Outcome.DISCARDED: conv.TURN_OUTCOME_DISCARDED,
    Outcome.ERROR: conv.TURN_OUTCOME_ERROR,
}
_SPECULATIONS = {
    turn.Speculation.NONE: conv.SPECULATION_UNSPECIFIED,
    turn.Speculation.HIT: conv.SPECULATION_HIT,
    turn.Speculation.MISS: conv.SPECULATION_MISS,
}
_HANG_UP_REASONS = {
    turn.HangUpReason.FAREWELL: conv.END_REASON_AGENT_HUNG_UP,
    turn.HangUpReason.MAX_DURATION: conv.END_REASON_MAX_DURATION,
    turn.HangUpReason.IDLE: conv.END_REASON_IDLE,
}


class TurnWork:
    """One call's worker: synchronous, so that an action is done when the next event is taken up."""

    def __init__(self, call: CallContext, listening: Listening, speaking: Speaking, ids: Ids) -> None:
        self._call = call
        self._listening = listening
        self._speaking = speaking
        self._ids = ids
        self._records: dict[int, TurnRecord] = {}
        self._sounds: dict[int, SpokenReply] = {}
        """What is or was said in each turn that has not ended."""
        self._joins: dict[int, int] = {}
        self.checkpoint_seq = 0
        self.left_over: LeftOver | None = None
        """What another process left to be said."""
        self._eos_ms = 0.0
        self._pre_roll_ms = call.services.settings.speech.pre_roll_ms
        self._speech_at_ms: float | None = None
        """When the open utterance's speech began."""
        self.hanging_up: conv.EndReason.ValueType | None = None

    def do(self, action: Action) -> None:  # noqa: PLR0912 - a table of actions reads best as one
        """Carry out one action."""
        match action:
            case turn.BeginUtterance(turn_id=turn_id, from_ms=from_ms):
                record = self._record(turn_id)
                record.event(semconv.EVENT_SPEECH_STARTED, self._call.now_ms())
                self._listening.begin(turn_id, from_ms, record.context)
                self._speech_at_ms = self._call.now_ms() - max(
                    0.0, self._listening.heard_ms - from_ms - self._pre_roll_ms
                )
            case turn.Finalize(turn_id=turn_id, finalize_id=finalize_id):
                self._listening.finalize(turn_id, finalize_id)
            case turn.EndUtterance(turn_id=turn_id, discard=discard, text=text):
                self._listening.end(turn_id, discard=discard, text=text)
            case turn.StartReply():
                self._start(action)
            case turn.FallBack(turn_id=turn_id, candidate_id=candidate_id):
                self._record(turn_id).event(semconv.EVENT_FELL_BACK, self._call.now_ms())
                self._speaking.fall_back(candidate_id)
            case turn.CommitReply():
                self._commit(action)
            case turn.SpeakReply(turn_id=turn_id, candidate_id=candidate_id, playout_id=playout_id):
                self._speaking.play(self._record(turn_id), candidate_id, playout_id)
            case turn.DiscardReply(candidate_id=candidate_id):
                self._speaking.discard(candidate_id)
            case turn.FinishReply(candidate_id=candidate_id):
                self._speaking.cut_short(candidate_id)
            case turn.Clear(through_playout_id=through) | turn.Pause(through_playout_id=through):
                self._clear(through)
            case turn.Duck(gain_db=gain_db, ramp_ms=ramp_ms):
                duck = conv.Duck(gain_db=gain_db, ramp=duration_of(ramp_ms))
                self._call.send(conv.AgentEvent(duck=duck))
            case turn.ResumeTail(playout_id=playout_id, continues_playout_id=continues, turn_id=turn_id):
                self._resume(playout_id, continues, turn_id)
            case turn.Say():
                self._say(action)
            case turn.ReportTurn():
                self._report(action)
            case turn.SwitchLanguage(language=language):
                self._call.speak(language)
            case turn.TakeMessage(after_playout_id=after):
                self._call.tools.take_message("the assistant could not answer", after)
            case turn.HangUp(reason=reason, after_playout_id=after):
                self._hang_up(_HANG_UP_REASONS[reason], after)

    def transcript_came(self, turn_id: int) -> None:
        """A better transcript of a turn was understood just now."""
        if (record := self._records.get(turn_id)) is not None:
            record.heard_text(self._call.now_ms())

    def reply_written(self) -> None:
        """The brain has finished: from here on a successor could speak the rest."""
        if self._owed():
            self.checkpoint()

    def playout_finished(self) -> None:
        """A playout was heard to its end; that of a turn has ended the turn and is in the books already."""
        exchanges = self._call.history.exchanges
        if exchanges and exchanges[-1].turn_id == 0 and not exchanges[-1].ended:
            self._call.history.ended(exchanges[-1], interrupted=False)
            self.checkpoint()

    def playback(self, playback: conv.Playback) -> None:
        """Take up a report of what was heard."""
        position_ms = ms_of(playback.position)
        record = self._speaking.record
        if record is not None and self._speaking.playing_reply(playback.playout_id) and position_ms > 0:
            sent_ms = record.reached.get("first_frame_sent", 0.0)
            record.reach("first_frame_heard", max(sent_ms, self._call.now_ms() - position_ms))
        self._speaking.report(playback)

    def checkpoint(self) -> None:
        """Give the gateway what a successor would need."""
        call = self._call
        self.checkpoint_seq += 1
        memory = CallMemory(call.history, self._ids.candidate, call.language, self._owed())
        checkpoint = conv.Checkpoint(
            seq=self.checkpoint_seq,
            covers_caller_offset=duration_of(self._listening.covered_ms(self._eos_ms)),
            last_turn_id=self._ids.turn,
            last_playout_id=self._ids.playout,
            state=dump(memory),
        )
        call.outbox.put_later(conv.AgentEvent(checkpoint=checkpoint))

    # --------------------------------------------------------------------------------------------------------- inside

    def _record(self, turn_id: int) -> TurnRecord:
        record = self._records.get(turn_id)
        if record is None:
            call, now_ms = self._call, self._call.now_ms()
            record = TurnRecord.open(
                call_id=call.call_id,
                turn_id=turn_id,
                telemetry=call.services.telemetry,
                metrics=call.services.metrics,
                call_context=call.trace,
                now_ms=now_ms,
                began_at_ms=now_ms,
            )
            self._records[turn_id] = record
        return record

    def _start(self, action: turn.StartReply) -> None:
        record = self._record(action.turn_id)
        if action.speculative:
            record.event(semconv.EVENT_SPECULATION_STARTED, self._call.now_ms())
        # The question is part of the history before the brain is asked; one that was taken over is already.
        elif self._call.history.find(action.turn_id) is None:
            self._call.history.asked(action.turn_id, action.text, self._joins.get(action.turn_id, 0))
        self._speaking.start(record, action.candidate_id, action.text, self._joins.get(action.turn_id, 0))

    def _commit(self, action: turn.CommitReply) -> None:
        history, record = self._call.history, self._record(action.turn_id)
        exchange = history.find(action.turn_id) or history.asked(action.turn_id, action.text, action.joins)
        rounds = self._call.tools.committed(action.candidate_id)
        exchange.answered(self._speaking.spoken_of(action.candidate_id), rounds)
        history.overtaken = False
        if exchange.spoken is not None:
            self._sounds[action.turn_id] = exchange.spoken
        record.rule = action.rule.value
        record.commit(action.candidate_id, self._call.now_ms(), action.eos_ms, action.eos_at_ms)
        self._eos_ms = action.eos_ms
        self._speaking.play(record, action.candidate_id, action.playout_id)
        self.checkpoint()

    def _resume(self, playout_id: int, continues: int, turn_id: int) -> None:
        rest, self.left_over = self.left_over, None
        if rest is None:
            self._speaking.resume(playout_id, continues, self._records.get(turn_id))
            return
        spoken = self._speaking.take_over(self._record(turn_id), rest, playout_id)
        self._sounds[turn_id] = spoken
        if (exchange := self._call.history.find(turn_id)) is not None:
            exchange.spoken = spoken
            asked = turn.HangUpAsked(self._call.now_ms(), rest.candidate_id)
            self._call.tools.take_up(rest.candidate_id, exchange.rounds, hang_up=lambda: self._call.post(asked))

    def _owed(self) -> str:
        """The reply that is being heard, where all of it is known."""
        exchanges = self._call.history.exchanges
        last = exchanges[-1] if exchanges else None
        if last is None or last.ended or last.spoken is None or not self._speaking.written(last.spoken):
            return ""
        return last.spoken.written

    def _clear(self, through_playout_id: int) -> None:
        """Silence the agent; where the caller's speech is the cause, note how long it took."""
        if self._speaking.clear(through_playout_id) and self._speech_at_ms is not None:
            self._call.services.metrics.barge_in.record(max(0.0, self._call.now_ms() - self._speech_at_ms))
            self._speech_at_ms = None

    def _say(self, action: turn.Say) -> None:
        history = self._call.history
        record = self._records.get(action.turn_id)
        spoken = self._speaking.say(action.prompt, action.playout_id, record, action.variant)
        if action.prompt is Prompt.FILLER:
            return  # it says nothing, and the history holds nothing of it
        if not action.turn_id:
            history.greeted(spoken)
            return
        if action.turn_id:
            self._sounds[action.turn_id] = spoken
            if (exchange := history.find(action.turn_id)) is not None:
                exchange.spoken = spoken

    def _report(self, action: turn.ReportTurn) -> None:
        record = self._record(action.turn_id)
        if action.joins:
            self._joins[action.turn_id] = action.joins
        message = conv.Turn(
            turn_id=action.turn_id,
            state=_STATES[action.state],
            outcome=_OUTCOMES[action.outcome],
            candidate_id=action.candidate_id,
            joins=action.joins,
            speculation=_SPECULATIONS[action.speculation],
            timings=record.timings(),
            trace=record.trace,
        )
        if action.state is TurnState.ENDED:
            self._end(action, record, message)
        self._call.send(conv.AgentEvent(turn=message))

    def _end(self, action: turn.ReportTurn, record: TurnRecord, message: conv.Turn) -> None:
        del self._records[action.turn_id]
        self._joins.pop(action.turn_id, None)
        spoken = self._sounds.pop(action.turn_id, None)
        if spoken is not None:
            message.heard_length, message.said_length = spoken.heard_length, spoken.said_length
        history = self._call.history
        exchange = history.find(action.turn_id)
        if exchange is not None and action.outcome is not Outcome.DISCARDED:
            history.ended(exchange, interrupted=_is_cut(exchange, action.outcome))
        if action.outcome is Outcome.COMPLETED:
            self._call.tools.heard(action.candidate_id, self._speaking.playout_of(action.candidate_id))
        else:
            self._call.tools.dropped(action.candidate_id)
        self._speaking.release(action.candidate_id)
        record.close(action, message.heard_length, message.said_length)
        if exchange is not None:
            self.checkpoint()

    def _hang_up(self, reason: conv.EndReason.ValueType, after_playout_id: int) -> None:
        self.hanging_up = reason
        self._call.tools.hang_up(reason, after_playout_id)


def _is_cut(exchange: Exchange, outcome: Outcome | None) -> bool:
    """Whether a turn that ended so was not heard to its end; one in which a part failed may have been, or not."""
    if outcome is not Outcome.ERROR or exchange.spoken is None:
        return outcome is Outcome.INTERRUPTED
    return exchange.spoken.heard_text != exchange.spoken.written.strip()
