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
    FILLER = "filler"
    OFFER_MESSAGE = "offer_message"
    """An apology for having no answer, with the offer to take a message."""
    STILL_THERE = "still_there"
    GOODBYE = "goodbye"
    ENDING_SOON = "ending_soon"


class HangUpReason(Enum):
    """Why the agent ends the call."""

    FAREWELL = "farewell"
    MAX_DURATION = "max_duration"
    IDLE = "idle"


class EndpointRule(Enum):
    """What made a turn the agent's."""

    COMPLETE = "complete"
    """It looked complete."""
    LATE = "late"
    """Its transcript was late, or still moving."""
    UNFINISHED = "unfinished"
    """It looked unfinished, but the caller did not go on."""
    CAP = "cap"
    """No silence is waited for any longer."""
    LENGTH = "length"
    """The utterance was as long as any may be."""
    FAILED = "failed"
    """Recognition failed; what had been understood is answered."""
    KEYS = "keys"
    """The caller pressed keys."""
    TAKEN_OVER = "taken_over"
    """Another process had decided it."""


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
class FallBack:
    """The brain gives nothing: ask the fallback brain for the same candidate."""

    turn_id: int
    candidate_id: int


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
    rule: EndpointRule = EndpointRule.COMPLETE


@dataclass(frozen=True, slots=True)
class SpeakReply:
    """Speak the candidate of a committed turn as this playout, behind a filler, as soon as it has sound."""

    turn_id: int
    candidate_id: int
    playout_id: int


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
class Duck:
    """Turn what plays down by ``-gain_db``, or with 0 up again, within ``ramp_ms``."""

    gain_db: float
    ramp_ms: float = 40.0


@dataclass(frozen=True, slots=True)
class ResumeTail:
    """Go on, as a new playout, from the last word boundary that was not heard."""

    playout_id: int
    continues_playout_id: int
    turn_id: int = 0


@dataclass(frozen=True, slots=True)
class Say:
    """Speak a fixed prompt as this playout; ``turn_id`` is 0 when it answers none.

    ``variant`` counts how often the call has needed this prompt before, so that it need not always be the same words.
    """

    playout_id: int
    prompt: Prompt
    turn_id: int = 0
    variant: int = 0


@dataclass(frozen=True, slots=True)
class ReportTurn:
    """A turn has entered another state."""

    turn_id: int
    state: TurnState
    candidate_id: int = 0
    joins: int = 0
    outcome: Outcome | None = None
    speculation: Speculation = Speculation.NONE
    wasted: int = 0
    """Early replies that were asked for and thrown away."""


@dataclass(frozen=True, slots=True)
class SwitchLanguage:
    """The caller speaks another language: recognise, prompt and answer in it from here on."""

    language: str


@dataclass(frozen=True, slots=True)
class TakeMessage:
    """The caller took up the offer: let them record a message, once this playout was heard."""

    after_playout_id: int = 0


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
    | FallBack
    | CommitReply
    | SpeakReply
    | DiscardReply
    | FinishReply
    | Clear
    | Pause
    | Duck
    | ResumeTail
    | Say
    | ReportTurn
    | SwitchLanguage
    | TakeMessage
    | HangUp
)
