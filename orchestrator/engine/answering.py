"""The agent's side of the turns: what it says or is about to say, and what is done when that fails or is late."""

from __future__ import annotations

from orchestrator.engine.actions import (
    Action,
    Clear,
    CommitReply,
    DiscardReply,
    FinishReply,
    HangUp,
    HangUpReason,
    Outcome,
    Pause,
    Prompt,
    ResumeTail,
    Say,
    Speculation,
    StartReply,
    TurnState,
)
from orchestrator.engine.cues import words_of
from orchestrator.engine.heard import AgentSpeech
from orchestrator.engine.settings import WatchdogSettings
from orchestrator.engine.turns import Ids, Turn, Turns


class Answering:
    """Owns the floor while it is the agent's. Appends to ``out`` what is to be done; knows nothing of the caller."""

    def __init__(self, settings: WatchdogSettings, turns: Turns, ids: Ids, out: list[Action]) -> None:
        self._settings = settings
        self._turns = turns
        self._ids = ids
        self._out = out
        self.agent: AgentSpeech | None = None
        """What the agent is saying or about to say; None while the floor is free."""
        self.early: AgentSpeech | None = None
        """A reply begun in case the caller has finished; nothing of it can be heard yet."""

    # ------------------------------------------------------------------------------------------- beginning to answer

    def say(self, prompt: Prompt, now_ms: float, turn_id: int = 0, *, failed: bool = False) -> None:
        """Speak a prompt of our own."""
        playout_id = self._ids.next_playout()
        self.agent = AgentSpeech(playout_id, turn_id, asked_at_ms=now_ms, written=True, failed=failed)
        self._out.append(Say(playout_id, prompt, turn_id))

    def speculate(self, turn: Turn, text: str, now_ms: float) -> None:
        """Begin a reply to what the caller has said so far."""
        turn.candidate_id = self._ids.next_candidate()
        turn.candidate_text = text
        self.early = AgentSpeech(0, turn.turn_id, turn.candidate_id, asked_at_ms=now_ms)
        self._out.append(StartReply(turn.turn_id, turn.candidate_id, text, speculative=True))
        self._out.extend(self._turns.enter(turn, TurnState.SPECULATING))

    def drop_early(self, turn: Turn) -> None:
        """The caller went on: the early reply answers half a question."""
        if self.early is None:
            return
        self._out.append(DiscardReply(turn.turn_id, self.early.candidate_id))
        self.early = None
        turn.candidate_id = 0
        turn.speculation = Speculation.MISS

    def commit(self, turn: Turn, text: str, now_ms: float, *, eos_ms: float, eos_at_ms: float) -> None:
        """The turn is the agent's: answer ``text``, with the early reply where it answers just that."""
        turn.text = text
        if self.early is not None and words_of(turn.candidate_text) == words_of(text) and not self.early.failed:
            agent, self.early = self.early, None
            turn.speculation = Speculation.HIT
        else:
            self.drop_early(turn)
            turn.candidate_id = self._ids.next_candidate()
            agent = AgentSpeech(0, turn.turn_id, turn.candidate_id)
            self._out.append(StartReply(turn.turn_id, turn.candidate_id, text))
        agent.playout_id = self._ids.next_playout()
        agent.asked_at_ms = now_ms
        self.agent = agent
        self._out.append(
            CommitReply(turn.turn_id, turn.candidate_id, agent.playout_id, text, turn.joins, eos_ms, eos_at_ms)
        )
        self._out.extend(self._turns.enter(turn, TurnState.COMMITTED))

    def take_over(self, turn: Turn, candidate_id: int, continues_playout_id: int, now_ms: float) -> None:
        """Go on with a reply that another process began to speak."""
        turn.candidate_id = candidate_id
        playout_id = self._ids.next_playout()
        self.agent = AgentSpeech(
            playout_id, turn.turn_id, candidate_id, asked_at_ms=now_ms, content_at_ms=now_ms, written=True
        )
        self._out.append(ResumeTail(playout_id, continues_playout_id, turn.turn_id))
        self._out.extend(self._turns.enter(turn, TurnState.COMMITTED))

    # ---------------------------------------------------------------------------------------------------- the caller

    def pause(self, now_ms: float) -> None:
        """Be silent, in case the caller means to interrupt."""
        agent = self.agent
        if agent is None or agent.paused:
            return
        agent.paused_at_ms = now_ms
        self._out.append(Pause(agent.playout_id))
        self._enter(agent, TurnState.PAUSED)

    def resume(self) -> None:
        """The caller did not mean it: go on with what was not heard."""
        agent = self.agent
        if agent is None or not agent.paused:
            return
        before = agent.playout_id
        agent.continue_as(self._ids.next_playout())
        self._out.append(ResumeTail(agent.playout_id, before, agent.turn_id))
        self._enter(agent, TurnState.SPEAKING if agent.any_sent else TurnState.COMMITTED)

    def cancel(self, outcome: Outcome) -> None:
        """The floor is the caller's: end everything that belongs to what was being said."""
        agent, self.agent = self.agent, None
        if agent is None:
            return
        if not agent.paused:
            self._out.append(Clear(agent.playout_id))
        if agent.candidate_id:
            self._out.append(DiscardReply(agent.turn_id, agent.candidate_id))
        self._out.extend(self._turns.end(agent.turn_id, Outcome.ERROR if agent.failed else outcome))

    # ------------------------------------------------------------------------------------------- how the reply fares

    def content(self, candidate_id: int, now_ms: float) -> None:
        """The brain gave content."""
        if speech := self._find(candidate_id):
            speech.content_at_ms = now_ms

    def written(self, candidate_id: int, *, silent: bool) -> None:
        """The brain has finished."""
        if speech := self._find(candidate_id):
            speech.written = True
            speech.silent = silent

    def hang_up_after(self, candidate_id: int) -> None:
        """The call is to end once this candidate was heard."""
        if speech := self._find(candidate_id):
            speech.hang_up = True

    def reply_failed(self, candidate_id: int, now_ms: float, *, audible: bool) -> None:
        """A part failed: what is whole is spoken; where there is nothing, the agent apologises."""
        speech = self._find(candidate_id)
        if speech is None:
            return
        speech.failed = True
        speech.written = True
        if speech is self.agent and not audible:
            self._apologise(speech, now_ms)

    def playout_started(self, playout_id: int) -> None:
        """The first sound of a playout was sent."""
        agent = self.agent
        if agent is not None and agent.playout_id == playout_id and not agent.paused:
            agent.announced = agent.any_sent = True
            self._enter(agent, TurnState.SPEAKING)

    def playout_progress(self, playout_id: int, heard_ms: float) -> None:
        """So much of a playout was heard."""
        if self.agent is not None and self.agent.playout_id == playout_id:
            self.agent.heard_ms = max(self.agent.heard_ms, heard_ms)

    def playout_finished(self, playout_id: int, *, failed: bool) -> None:
        """A playout was heard to its end, also when that is learned after it was paused."""
        agent = self.agent
        if agent is None or agent.playout_id != playout_id:
            return
        agent.failed = agent.failed or failed
        self._complete(agent)

    # ------------------------------------------------------------------------------------------------------ watchdogs

    def settle(self, now_ms: float) -> None:
        """Act on what is overdue."""
        agent = self.agent
        if agent is None:
            return
        if agent.silent:
            self._complete(agent)
        elif (deadline := self._overdue_at(agent)) is not None and now_ms >= deadline:
            if not agent.candidate_id:
                agent.failed = True
                self._out.append(Clear(agent.playout_id))
                self._complete(agent)
            elif agent.content_at_ms is None or agent.written:
                self._apologise(agent, now_ms)
            else:
                agent.failed = agent.written = True
                # What is whole has as long to sound as any reply.
                agent.content_at_ms = now_ms
                self._out.append(FinishReply(agent.turn_id, agent.candidate_id))

    def next_deadline(self) -> float | None:
        """When ``settle`` has something to do, monotonic ms; None for never."""
        return None if self.agent is None else self._overdue_at(self.agent)

    def _overdue_at(self, agent: AgentSpeech) -> float | None:
        if agent.candidate_id and not agent.written:
            if agent.content_at_ms is None:
                return agent.asked_at_ms + self._settings.first_content_ms
            return max(agent.content_at_ms, agent.asked_at_ms) + self._settings.content_gap_ms
        if not agent.any_sent and not agent.paused:
            return max(agent.content_at_ms or 0.0, agent.asked_at_ms) + self._settings.first_audio_ms
        return None

    # --------------------------------------------------------------------------------------------------------- inside

    def _find(self, candidate_id: int) -> AgentSpeech | None:
        for speech in (self.agent, self.early):
            if speech is not None and candidate_id and speech.candidate_id == candidate_id:
                return speech
        return None

    def _enter(self, agent: AgentSpeech, state: TurnState) -> None:
        turn = self._turns.open.get(agent.turn_id)
        if turn is not None:
            self._out.extend(self._turns.enter(turn, state))

    def _apologise(self, agent: AgentSpeech, now_ms: float) -> None:
        self._out.append(Clear(agent.playout_id))
        self._out.append(DiscardReply(agent.turn_id, agent.candidate_id))
        self.say(Prompt.APOLOGY, now_ms, agent.turn_id, failed=True)

    def _complete(self, agent: AgentSpeech) -> None:
        self.agent = None
        self._out.extend(self._turns.end(agent.turn_id, Outcome.ERROR if agent.failed else Outcome.COMPLETED))
        if agent.hang_up:
            self._out.append(HangUp(HangUpReason.FAREWELL, agent.playout_id if agent.announced else 0))
