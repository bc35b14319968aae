"""What of the agent's speech has reached the caller, in time.

Which words that was is known outside, where the sound's alignment with its text is.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.engine.actions import HangUpReason, Prompt


@dataclass(slots=True)
class AgentSpeech:
    """What the agent says, or is about to: a reply, or a prompt of its own.

    It lives from the commit (or the order to say something) until it was heard to its end or was cancelled, through any
    number of playouts.
    """

    playout_id: int
    turn_id: int = 0
    candidate_id: int = 0
    asked_at_ms: float = 0.0
    """When the turn was committed or the prompt ordered."""
    content_at_ms: float | None = None
    """When the brain last gave content; None before it did."""
    written: bool = False
    """Whether the whole text is known."""
    failed: bool = False
    """Whether a part failed on the way, so that what is said is less than it should be."""
    silent: bool = False
    """Whether it was written without a word to speak."""
    announced: bool = False
    """Whether any sound of the present playout was sent."""
    any_sent: bool = False
    """Whether any sound of any of its playouts was sent."""
    heard_before_ms: float = 0.0
    """Heard of earlier playouts of it."""
    heard_ms: float = 0.0
    """Heard of the present playout."""
    paused_at_ms: float | None = None
    """When it was paused, monotonic; None while it is not."""
    hang_up: HangUpReason | None = None
    """Why the call is to end once it was heard; None where it is to go on."""
    prompt: Prompt | None = None
    """What it is, where it is no reply."""
    filled: bool = False
    """Whether it had its filler."""
    in_filler: bool = False
    """Whether its present playout is a filler, which nobody counts as the reply."""
    filler_at_ms: float = 0.0
    """When the filler was ordered."""
    fell_back: bool = False
    """Whether the other brain was asked."""

    @property
    def paused(self) -> bool:
        """Whether it is silent for a caller who may be interrupting."""
        return self.paused_at_ms is not None

    @property
    def total_heard_ms(self) -> float:
        """Heard of it in all, in ms."""
        return self.heard_before_ms + self.heard_ms

    def continue_as(self, playout_id: int) -> None:
        """Its next playout, after a pause, is this one."""
        self.playout_id = playout_id
        self.heard_before_ms = self.total_heard_ms
        self.heard_ms = 0.0
        self.announced = False
        self.in_filler = False
        self.paused_at_ms = None
