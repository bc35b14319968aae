"""The caller's side of the turns, as far as it is known: their speech, their open utterance, the keys they pressed."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.engine.cues import Cues
from orchestrator.engine.echo import EchoGuard
from orchestrator.engine.endpointing import MediaClock, Patience, Utterance, Wait
from orchestrator.engine.settings import EngineSettings
from orchestrator.engine.speech import SpeechGate

# Deadlines are computed in floating point; a tick that comes this much before one counts as on time.
EPSILON_MS = 0.01


def keys_text(digits: str) -> str:
    """How pressed keys read in a transcript."""
    return f"[keys pressed: {' '.join(digits)}]"


@dataclass(slots=True)
class Caller:
    """What deciding about the end of a turn and deciding about an interruption both look at."""

    settings: EngineSettings
    cues: Cues
    """Of the call's language."""
    gate: SpeechGate = field(init=False)
    guard: EchoGuard = field(init=False)
    patience: Patience = field(init=False)
    clock: MediaClock = field(default_factory=MediaClock)
    utterance: Utterance | None = None
    began_at_ms: float = 0.0
    """When the open utterance began, monotonic."""
    answered_ms: float = 0.0
    """Up to where the caller's speech has been answered, media time."""
    digits: str = ""
    """Keys pressed and not answered yet."""
    digit_at_ms: float = 0.0
    agent_asked: str = ""
    """The end of what the agent said last."""

    def __post_init__(self) -> None:
        self.gate = SpeechGate(self.settings.speech)
        self.guard = EchoGuard(self.settings.echo)
        self.patience = Patience(self.settings.endpointing)

    def open(self, turn_id: int) -> Utterance | None:
        """The open utterance, if that turn's it is: a transcript that comes after its utterance ended means nothing."""
        utterance = self.utterance
        return utterance if utterance is not None and utterance.turn_id == turn_id else None

    def wait_for(self, utterance: Utterance) -> Wait:
        """How long to wait for the caller to go on."""
        return self.patience.wait_for(utterance, self.cues)

    @property
    def holding_for_hint(self) -> bool:
        """Whether the last window hints at speech, so that the next one decides, if the line gives one."""
        return self.gate.hinted and not self.clock.stalled

    def hears_agent(self, said: str, coming: str, now_ms: float) -> None:
        """So much of what the agent says was heard by now."""
        self.guard.playing(said, coming, now_ms)
        if said and said != self.agent_asked:
            self.agent_asked = said
            self.patience.expects_entity = self.cues.asks_for_entity(said)

    def take_digits(self) -> str:
        """The keys pressed, as text; they count as answered from here on."""
        digits, self.digits = self.digits, ""
        return keys_text(digits) if digits else ""
