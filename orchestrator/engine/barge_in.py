"""Does the caller mean to interrupt?

In two stages, because a word takes longer to recognise than a person tolerates being talked over: after a few windows
of speech the agent is silent but keeps its tail; words or the length of the speech then decide.
"""

from __future__ import annotations

from enum import Enum

from orchestrator.engine.cues import Cues
from orchestrator.engine.endpointing import Utterance
from orchestrator.engine.heard import AgentSpeech
from orchestrator.engine.settings import BargeInSettings, EndpointingSettings


class Verdict(Enum):
    """What the caller's speech means while the agent holds the floor."""

    UNDECIDED = "undecided"
    INTERRUPTS = "interrupts"
    GOES_ON = "goes on"
    """The caller had not finished: what they say belongs to the turn being answered."""


def judge(  # one argument per thing that is weighed
    utterance: Utterance,
    agent: AgentSpeech,
    began_at_ms: float,
    barge_in: BargeInSettings,
    endpointing: EndpointingSettings,
    cues: Cues,
) -> Verdict:
    """Weigh what the caller has said so far over ``agent``; ``began_at_ms`` is when they began, monotonic."""
    enough = utterance.speech_ms >= barge_in.confirm_speech_ms
    if not enough and cues.is_backchannel(utterance.text):
        return Verdict.UNDECIDED
    if agent.turn_id == 0 or cues.interrupts(utterance.text):
        return Verdict.INTERRUPTS
    soon = began_at_ms - agent.asked_at_ms <= endpointing.reopen_within_ms
    barely_heard = agent.total_heard_ms < endpointing.reopen_heard_ms
    return Verdict.GOES_ON if soon or barely_heard else Verdict.INTERRUPTS
