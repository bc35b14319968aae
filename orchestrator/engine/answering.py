"""The agent's side of the turns: what it says or is about to say, and what is done when that fails or is late."""

from __future__ import annotations

from collections import Counter

from orchestrator.engine.actions import (
    Action,
    Clear,
    CommitReply,
    DiscardReply,
    Duck,
    EndpointRule,
    FallBack,
    FinishReply,
    HangUp,
    HangUpReason,
    Outcome,
    Pause,
    Prompt,
    ResumeTail,
    Say,
    SpeakReply,
    Speculation,
    StartReply,
    TakeMessage,
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
        self._said: Counter[Prompt] = Counter()
        self._ducked = False
        self.has_fallback = False
        """Whether there is another brain to ask."""
        self.can_take_message = False
        """Whether the line can record a message."""
        self.message_offered = False
        """Whether the last thing said was the offer to take a message."""
        self.hung_up = False
        """Whether the call was told to end."""
        self.agent: AgentSpeech | None = None
        """What the agent is saying or about to say; None while the floor is free."""
        self.early: AgentSpeech | None = None
        """A reply begun in case the caller has finished; nothing of it can be heard yet."""

    # ------------------------------------------------------------------------------------------- beginning to answer

    def say(
        self,
        prompt: Prompt,
        now_ms: float,
        turn_id: int = 0,
        *,
        failed: bool = False,
        hang_up: HangUpReason | None = None,
    ) -> None:
        """Speak a prompt of our own; with ``hang_up`` the call ends once it was heard."""
        playout_id = self._ids.next_playout()
        self.agent = AgentSpeech(
            playout_id, turn_id, asked_at_ms=now_ms, written=True, failed=failed, hang_up=hang_up, prompt=prompt
        )
        self.message_offered = prompt is Prompt.OFFER_MESSAGE
        self._say(playout_id, prompt, turn_id)

    def take_message(self, turn: Turn) -> None:
        """The caller took up the offer to leave a message."""
        self.message_offered = False
        self._out.append(TakeMessage())
        self._out.extend(self._turns.end(turn.turn_id, Outcome.COMPLETED))

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
        turn.wasted += 1

    def commit(  # what a commit consists of
        self, turn: Turn, text: str, now_ms: float, *, eos_ms: float, eos_at_ms: float, rule: EndpointRule
    ) -> None:
        """The turn is the agent's: answer ``text``, with the early reply where it answers just that."""
        turn.text, turn.eos_ms = text, eos_ms
        self.message_offered = False
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
            CommitReply(turn.turn_id, turn.candidate_id, agent.playout_id, text, turn.joins, eos_ms, eos_at_ms, rule)
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

    def duck(self, gain_db: float) -> None:
        """Be quieter while it is not clear whether the caller speaks."""
        agent = self.agent
        if agent is not None and agent.announced and not agent.paused and not self._ducked:
            self._ducked = True
            self._out.append(Duck(gain_db))

    def unduck(self) -> None:
        """Be as loud as before."""
        if self._ducked:
            self._ducked = False
            self._out.append(Duck(0.0))

    def pause(self, now_ms: float) -> None:
        """Be silent, in case the caller means to interrupt."""
        agent = self.agent
        if agent is None or agent.paused:
            return
        agent.paused_at_ms = now_ms
        self._out.append(Pause(agent.playout_id))
        # Nothing plays now: what follows, the rest or another reply, is to be as loud as ever.
        self.unduck()
        self._enter(agent, TurnState.PAUSED)

    def resume(self) -> None:
        """The caller did not mean it: go on with what was not heard. A filler is not gone on with."""
        agent = self.agent
        if agent is None or not agent.paused:
            return
        before = agent.playout_id
        if agent.in_filler:
            agent.paused_at_ms = None
            self._speak(agent)
        else:
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
        self.unduck()
        if agent.candidate_id:
            self._out.append(DiscardReply(agent.turn_id, agent.candidate_id))
        self._out.extend(self._turns.end(agent.turn_id, Outcome.ERROR if agent.failed else outcome))

    # ------------------------------------------------------------------------------------------- how the reply fares

    def content(self, candidate_id: int, now_ms: float) -> None:
        """The brain gave content."""
        if speech := self._find(candidate_id):
            speech.content_at_ms = now_ms
            if speech.in_filler and not speech.announced and not speech.paused:
                # The reply is there before its filler.
                self._out.append(Clear(speech.playout_id))
                self._speak(speech)

    def written(self, candidate_id: int, *, silent: bool) -> None:
        """The brain has finished."""
        if speech := self._find(candidate_id):
            speech.written = True
            speech.silent = silent

    def hang_up_after(self, candidate_id: int) -> None:
        """The call is to end once this candidate was heard."""
        if speech := self._find(candidate_id):
            speech.hang_up = HangUpReason.FAREWELL

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
            agent.announced = True
            if not agent.in_filler:
                agent.any_sent = True
                self._enter(agent, TurnState.SPEAKING)

    def playout_progress(self, playout_id: int, heard_ms: float) -> None:
        """So much of a playout was heard."""
        agent = self.agent
        if agent is not None and agent.playout_id == playout_id and not agent.in_filler:
            agent.heard_ms = max(agent.heard_ms, heard_ms)

    def playout_finished(self, playout_id: int, *, failed: bool) -> None:
        """A playout was heard to its end, also when that is learned after it was paused."""
        agent = self.agent
        if agent is None or agent.playout_id != playout_id:
            return
        if agent.in_filler:
            if not agent.paused:
                self._speak(agent)
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
            return
        if (at_ms := self._filler_at(agent)) is not None and now_ms >= at_ms:
            self._fill(agent, now_ms)
        if (at_ms := self._fallback_at(agent)) is not None and now_ms >= at_ms:
            agent.fell_back = True
            self._out.append(FallBack(agent.turn_id, agent.candidate_id))
        if (at_ms := self._filler_over_at(agent)) is not None and now_ms >= at_ms:
            self._out.append(Clear(agent.playout_id))
            self._speak(agent)
        if (at_ms := self._overdue_at(agent)) is None or now_ms < at_ms:
            return
        if not agent.candidate_id:
            agent.failed = True
            self._out.append(Clear(agent.playout_id))
            self._complete(agent)
        elif agent.content_at_ms is None or agent.written:
            self._apologise(agent, now_ms, no_answer=agent.content_at_ms is None)
        else:
            agent.failed = agent.written = True
            # What is whole has as long to sound as any reply.
            agent.content_at_ms = now_ms
            self._out.append(FinishReply(agent.turn_id, agent.candidate_id))

    def next_deadline(self) -> float | None:
        """When ``settle`` has something to do, monotonic ms; None for never."""
        agent = self.agent
        if agent is None:
            return None
        due = (
            self._filler_at(agent),
            self._fallback_at(agent),
            self._filler_over_at(agent),
            self._overdue_at(agent),
        )
        return min((at_ms for at_ms in due if at_ms is not None), default=None)

    def _waits_for_content(self, agent: AgentSpeech) -> bool:
        return bool(agent.candidate_id) and not agent.written and agent.content_at_ms is None

    def _filler_at(self, agent: AgentSpeech) -> float | None:
        """When a short sign of thinking is due; never twice in a turn, nor while the caller may be speaking."""
        if not self._settings.filler_ms or agent.filled or agent.paused or not self._waits_for_content(agent):
            return None
        return agent.asked_at_ms + self._settings.filler_ms

    def _filler_over_at(self, agent: AgentSpeech) -> float | None:
        """When a filler of whose end nobody told counts as over."""
        if not agent.in_filler or agent.paused:
            return None
        return agent.filler_at_ms + self._settings.first_audio_ms

    def _fallback_at(self, agent: AgentSpeech) -> float | None:
        if not self.has_fallback or agent.fell_back or not self._settings.fallback_ms:
            return None
        return agent.asked_at_ms + self._settings.fallback_ms if self._waits_for_content(agent) else None

    def _overdue_at(self, agent: AgentSpeech) -> float | None:
        if agent.candidate_id and not agent.written:
            if agent.content_at_ms is None:
                return agent.asked_at_ms + self._settings.first_content_ms
            return max(agent.content_at_ms, agent.asked_at_ms) + self._settings.content_gap_ms
        if not agent.any_sent and not agent.paused and not agent.in_filler:
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

    def _say(self, playout_id: int, prompt: Prompt, turn_id: int) -> None:
        self._out.append(Say(playout_id, prompt, turn_id, self._said[prompt]))
        self._said[prompt] += 1

    def _fill(self, agent: AgentSpeech, now_ms: float) -> None:
        """Say that we think. The reply's own playout, of which nothing was sent, gives way to one behind the filler."""
        agent.filled = agent.in_filler = True
        agent.announced = False
        agent.filler_at_ms = now_ms
        agent.playout_id = self._ids.next_playout()
        self._say(agent.playout_id, Prompt.FILLER, agent.turn_id)

    def _speak(self, agent: AgentSpeech) -> None:
        """Let the reply be heard as a new playout."""
        agent.in_filler = agent.announced = False
        agent.playout_id = self._ids.next_playout()
        self._out.append(SpeakReply(agent.turn_id, agent.candidate_id, agent.playout_id))

    def _apologise(self, agent: AgentSpeech, now_ms: float, *, no_answer: bool = False) -> None:
        self._out.append(Clear(agent.playout_id))
        self.unduck()
        self._out.append(DiscardReply(agent.turn_id, agent.candidate_id))
        prompt = Prompt.OFFER_MESSAGE if no_answer and self.can_take_message else Prompt.APOLOGY
        self.say(prompt, now_ms, agent.turn_id, failed=True)

    def _complete(self, agent: AgentSpeech) -> None:
        self.agent = None
        self.unduck()
        self._out.extend(self._turns.end(agent.turn_id, Outcome.ERROR if agent.failed else Outcome.COMPLETED))
        if agent.hang_up is not None:
            self.hang_up(agent.hang_up, agent.playout_id if agent.announced else 0)

    def hang_up(self, reason: HangUpReason, after_playout_id: int = 0) -> None:
        """End the call, once."""
        if not self.hung_up:
            self.hung_up = True
            self._out.append(HangUp(reason, after_playout_id))
