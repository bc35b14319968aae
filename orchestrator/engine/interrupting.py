"""What is done about a caller who makes a sound while the agent has the floor: quieter, silent, gone, or on it goes."""

from __future__ import annotations

from orchestrator.engine.actions import Action, Outcome
from orchestrator.engine.answering import Answering
from orchestrator.engine.barge_in import Verdict, judge
from orchestrator.engine.caller import EPSILON_MS, Caller
from orchestrator.engine.cues import words_of
from orchestrator.engine.endpointing import Utterance
from orchestrator.engine.heard import AgentSpeech
from orchestrator.engine.speech import WINDOW_MS
from orchestrator.engine.turns import Turns

# Loudness is compared now and then, not at each window: it takes as long as all the rest.
_LOOK_EVERY_WINDOWS = 8
# One word that was played may be anybody's; from so many on it is known how loud the echo is.
_PROVING_WORDS = 2
# What returns is at least so much fainter than what was sent, and about as faint each time.
_FAINT_DB = -9.0
_ALIKE_DB = 4.0


class Interrupting:
    """Weighs the caller's speech against the agent's."""

    def __init__(self, caller: Caller, answering: Answering, turns: Turns, out: list[Action]) -> None:
        self._caller = caller
        self._answering = answering
        self._turns = turns
        self._out = out
        self._settings = caller.settings.barge_in
        self._paused_run_ms: float | None = None
        self._suspected_db: float | None = None
        # Level, relative to ours, of what may have been an echo.
        self.can_duck = False
        """Whether the line can turn the agent down while it plays."""

    def consider(self, now_ms: float) -> None:
        """Act on what is known by now."""
        caller = self._caller
        utterance, agent = caller.utterance, self._answering.agent
        if utterance is None or agent is None:
            return
        self._look_for_echo(utterance)
        verdict = judge(utterance, agent, caller, now_ms)
        if verdict is not Verdict.UNDECIDED:
            self._yield_floor(utterance, agent, verdict)
        elif agent.paused_at_ms is not None:
            if now_ms >= self._resume_at(utterance, agent, agent.paused_at_ms) - EPSILON_MS:
                self._suspect_echo(utterance)
                self._answering.resume()
        elif caller.gate.speaking:
            self._give_way(utterance, now_ms)
        else:
            self._answering.unduck()

    def next_deadline(self) -> float | None:
        """When ``consider`` has something to do though nothing happens, monotonic ms; None for never."""
        utterance, agent = self._caller.utterance, self._answering.agent
        if agent is None or agent.paused_at_ms is None:
            return None
        if utterance is None:
            return agent.paused_at_ms + self._settings.confirm_within_ms
        return self._resume_at(utterance, agent, agent.paused_at_ms)

    def _resume_at(self, utterance: Utterance, agent: AgentSpeech, paused_at_ms: float) -> float:
        """When the agent goes on unless something more is known by then, monotonic ms."""
        caller, settings = self._caller, self._settings
        if utterance.echoed and self._is_faint(utterance):
            return paused_at_ms
        wordless = not utterance.text.strip()
        latest = paused_at_ms + settings.confirm_within_ms
        if utterance.ended_ms is None:
            # Nobody talks over a caller who is speaking, whatever it is that they say.
            undecided = wordless and utterance.partials and not utterance.failed
            return max(latest, paused_at_ms + settings.wordless_within_ms) if undecided else latest
        if caller.holding_for_hint:
            return latest
        silence_ms = settings.resume_silence_ms
        if not utterance.settled and not utterance.failed:
            silence_ms += settings.transcript_grace_ms
        if caller.cues.begins_backchannel(utterance.text):
            # "All": its "right" is on the way.
            return caller.clock.deadline(utterance.ended_ms, caller.settings.endpointing.one_word_ms)
        if wordless and caller.guard.unproven and self._is_faint(utterance):
            silence_ms = min(silence_ms, caller.settings.echo.unproven_silence_ms)
        return min(latest, caller.clock.deadline(utterance.ended_ms, silence_ms))

    def _is_faint(self, utterance: Utterance) -> bool:
        """Whether what is heard is so much fainter than what we played that the line may have returned it."""
        guard = self._caller.guard
        level_db = guard.return_over(int((self._caller.clock.media_ms - utterance.began_ms) / WINDOW_MS))
        return level_db is not None and level_db <= _FAINT_DB

    def _look_for_echo(self, utterance: Utterance) -> None:
        caller, text = self._caller, utterance.text
        if text == utterance.compared:
            return
        utterance.compared = text
        utterance.echoed = caller.guard.is_echo(text, caller.began_at_ms)
        if not utterance.echoed:
            self._suspected_db = None
        if (
            utterance.loud
            and caller.cues.interrupts(text)
            and not (caller.guard.unproven and self._is_faint(utterance))
        ):
            utterance.echoed = False  # "no" may well be a word of ours, and is one of theirs
        if utterance.echoed and not utterance.taught and len(words_of(text)) >= _PROVING_WORDS:
            utterance.taught = True
            caller.guard.learn(int((caller.clock.media_ms - utterance.began_ms) / WINDOW_MS))

    def _suspect_echo(self, utterance: Utterance) -> None:
        """Something faint, without a word but ours, made the agent pause; the second time it counts as an echo.

        Of an agent that pauses at each word of its echo no two words are ever heard together.
        """
        caller = self._caller
        if not utterance.echoed and (utterance.ended_ms is None or utterance.text.strip()):
            return
        windows = int((caller.clock.media_ms - caller.gate.began_ms) / WINDOW_MS)
        level_db = caller.guard.return_over(windows)
        if level_db is None or level_db > _FAINT_DB:
            self._suspected_db = None
        elif self._suspected_db is None or abs(level_db - self._suspected_db) > _ALIKE_DB:
            self._suspected_db = level_db
        else:
            caller.guard.learn(windows)

    def _give_way(self, utterance: Utterance, now_ms: float) -> None:
        caller, settings = self._caller, self._settings
        gate, guard = caller.gate, caller.guard
        if gate.run_windows >= settings.duck_windows and self.can_duck and guard.cleared(settings.duck_windows):
            self._answering.duck(-settings.duck_db)
        # One stretch of speech pauses the agent once: after a resume, only words or length can stop it again.
        if gate.sounding_windows < settings.pause_windows or self._paused_run_ms == gate.began_ms:
            return
        if guard.cleared(settings.pause_windows) or self._is_doubtful(utterance):
            utterance.loud = True
            self._paused_run_ms = gate.began_ms
            self._answering.pause(now_ms)

    def _is_doubtful(self, utterance: Utterance) -> bool:
        """Whether speech no louder than an echo has gone on for too long to be one, and does not follow ours."""
        caller = self._caller
        if utterance.echoed or caller.gate.run_windows % _LOOK_EVERY_WINDOWS:
            return False
        long_ms = caller.gate.run_windows * WINDOW_MS
        return long_ms >= caller.settings.echo.doubtful_ms and not caller.guard.follows

    def _yield_floor(self, utterance: Utterance, agent: AgentSpeech, verdict: Verdict) -> None:
        if verdict is Verdict.INTERRUPTS:
            self._answering.cancel(Outcome.INTERRUPTED)
            return
        turn = self._turns.open[utterance.turn_id]
        joined = self._turns.open.get(agent.turn_id)
        if joined is not None:
            turn.joins, turn.joined_text = joined.turn_id, joined.text
            self._out.append(self._turns.report(turn))
            if not agent.any_sent and joined.eos_ms is not None:
                self._caller.patience.pauses.learn(utterance.began_ms - joined.eos_ms)
        self._answering.cancel(Outcome.DISCARDED)
