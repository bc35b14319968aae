"""What the turn engine asks for. Each action is carried out at once, in order, without waiting."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class TurnState(Enum):
    """Where a turn stands, as told to the gateway."""

    LISTENING = "listening"
    SPECULATING = "speculating"
    COMMITTED = "committed"
    SPEAKING = "speaking"
    PAUSED = "paused"
    ENDED = "ended"


class Outcome(Enum):
    """How a turn ended: every turn has exactly one."""

    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    DISCARDED = "discarded"
    ERROR = "error"


class Speculation(Enum):
    """What became of a reply that was begun before the turn was committed."""

    NONE = "none"
    HIT = "hit"
    MISS = "miss"


class Prompt(Enum):
    """A fixed thing to say."""

    GREETING = "greeting"
    APOLOGY = "apology"
    NOT_UNDERSTOOD = "not_understood"


class HangUpReason(Enum):
    """Why the agent ends the call."""

    FAREWELL = "farewell"
    MAX_DURATION = "max_duration"


@dataclass(frozen=True, slots=True)
class BeginUtterance:
    """Open recognition for a new utterance, with the caller's sound from ``from_ms`` (media time) on."""

    turn_id: int
    from_ms: float


@dataclass(frozen=True, slots=True)
class Finalize:
    """Ask for a transcript of the open utterance as it stands."""

    turn_id: int
    finalize_id: int


@dataclass(frozen=True, slots=True)
class EndUtterance:
    """The utterance is over: finish its recognition or, when nobody wants it, throw it away."""

    turn_id: int
    discard: bool = False
    text: str = ""
    """What was understood, when that stands."""


@dataclass(frozen=True, slots=True)
class StartReply:
    """Ask the brain and begin synthesis, without letting anything be heard yet."""

    turn_id: int
    candidate_id: int
    text: str
    speculative: bool = False


@dataclass(frozen=True, slots=True)
class CommitReply:
    """The turn is the agent's: speak the candidate as this playout, as soon as it has sound.

    ``eos_ms`` is where the caller's speech ended in media time, ``eos_at_ms`` the same on the monotonic clock.
    """

    turn_id: int
    candidate_id: int
    playout_id: int
    text: str
    joins: int = 0
    eos_ms: float = 0.0
    eos_at_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class DiscardReply:
    """Cancel a candidate everywhere: brain request, synthesis, playout."""

    turn_id: int
    candidate_id: int


@dataclass(frozen=True, slots=True)
class FinishReply:
    """The brain has stalled: close its request and speak what is whole."""

    turn_id: int
    candidate_id: int


@dataclass(frozen=True, slots=True)
class Clear:
    """Silence this playout and every lower one, everywhere, for good."""

    through_playout_id: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence this playout for good but keep what of it was not heard, for ``ResumeTail``."""

    through_playout_id: int


@dataclass(frozen=True, slots=True)
class ResumeTail:
    """Go on, as a new playout, from the last word boundary that was not heard."""

    playout_id: int
    continues_playout_id: int
    turn_id: int = 0


@dataclass(frozen=True, slots=True)
class Say:
    """Speak a fixed prompt as this playout; ``turn_id`` is 0 when it answers none."""

    playout_id: int
    prompt: Prompt
    turn_id: int = 0


@dataclass(frozen=True, slots=True)
class ReportTurn:
    """A turn has entered another state."""

    turn_id: int
    state: TurnState
    candidate_id: int = 0
    joins: int = 0
    outcome: Outcome | None = None
    speculation: Speculation = Speculation.NONE


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call; the farewell, where there was one, has been heard."""

    reason: HangUpReason
    after_playout_id: int = 0


Action = (
    BeginUtterance
    | Finalize
    | EndUtterance
    | StartReply
    | CommitReply
    | DiscardReply
    | FinishReply
    | Clear
    | Pause
    | ResumeTail
    | Say
    | ReportTurn
    | HangUp
)
