"""Does the caller mean to interrupt?

In two stages, because a word takes longer to recognise than a person tolerates being talked over: after a few windows
of speech the agent is silent but keeps its tail; words or the length of the speech then decide.
"""

from __future__ import annotations

from enum import Enum

from orchestrator.engine.caller import EPSILON_MS, Caller
from orchestrator.engine.endpointing import Utterance
from orchestrator.engine.heard import AgentSpeech

# What the agent said before it paused may come back for so long; speech that ends by then proves nothing.
_LAST_ECHO_MS = 640.0
# Nobody answers sooner to what they hear.
_REACTION_MS = 200.0
# Signs of listening that go on for so many times as long as other speech are none.
_LISTENING_FACTOR = 2.0


class Verdict(Enum):
    """What the caller's speech means while the agent holds the floor."""

    UNDECIDED = "undecided"
    INTERRUPTS = "interrupts"
    GOES_ON = "goes on"
    """The caller had not finished: what they say belongs to the turn being answered."""


def judge(utterance: Utterance, agent: AgentSpeech, caller: Caller, now_ms: float) -> Verdict:
    """Weigh what the caller has said so far over ``agent``."""
    cues, endpointing = caller.cues, caller.settings.endpointing
    if utterance.echoed:
        return Verdict.UNDECIDED
    soon = caller.began_at_ms - agent.asked_at_ms <= endpointing.reopen_within_ms
    barely_heard = utterance.reply_heard_ms < endpointing.reopen_heard_ms
    # Whoever began before there was a reply to react to was not interrupting it: "cancel my order" is what they want.
    unheard = soon and utterance.reply_heard_ms < _REACTION_MS
    goes_on = agent.turn_id != 0 and (unheard or ((soon or barely_heard) and not cues.interrupts(utterance.text)))
    # Who has not finished is let go on at their first word: there is little of a reply to lose.
    listening = cues.is_backchannel(utterance.text) if goes_on else _may_be_listening(utterance, caller, now_ms)
    if listening and not _long_enough(utterance, agent, caller, now_ms):
        return Verdict.UNDECIDED
    return Verdict.GOES_ON if goes_on else Verdict.INTERRUPTS


def _may_be_listening(utterance: Utterance, caller: Caller, now_ms: float) -> bool:
    """Whether what was understood so far is a sign of listening, or may become one: "of" may be "of course"."""
    text, cues = utterance.text, caller.cues
    if cues.is_backchannel(text):
        return True
    if cues.interrupts(text):
        return False
    if not utterance.whole_words:
        return cues.is_backchannel(" ".join(text.split()[:-1]))
    if not cues.begins_backchannel(text):
        return False
    silence_ms = 0.0 if utterance.ended_ms is None else caller.clock.silence_ms(utterance.ended_ms, now_ms)
    return silence_ms + EPSILON_MS < caller.settings.endpointing.one_word_ms


def _long_enough(utterance: Utterance, agent: AgentSpeech, caller: Caller, now_ms: float) -> bool:
    """Whether the speech is an interruption by its length, whatever was understood of it."""
    wanted_ms = caller.settings.barge_in.confirm_speech_ms
    if not utterance.loud and caller.guard.return_db is not None:
        return False
    if utterance.text.strip():
        return utterance.speech_ms >= wanted_ms * _LISTENING_FACTOR
    # An echo falls silent whenever the agent does: many short stretches are no long one.
    if utterance.stretch_ms < wanted_ms:
        return False
    if agent.paused_at_ms is not None and utterance.partials and not utterance.failed:
        # Nothing is lost by waiting for the word that is on its way: the agent is silent.
        return now_ms >= agent.paused_at_ms + caller.settings.barge_in.wordless_within_ms - EPSILON_MS
    if agent.paused_at_ms is not None and caller.guard.audible and caller.settings.echo.enabled:
        return now_ms - agent.paused_at_ms >= _LAST_ECHO_MS
    return True
