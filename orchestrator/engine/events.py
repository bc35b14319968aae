"""What the turn engine is told.

Every event carries ``at_ms``: milliseconds on a monotonic clock since the call began. Where something lies in the
caller's sound it is given in media time, milliseconds since the call's first sample; the two drift apart when the line
stalls, and silence is counted in the second.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CallStarted:
    """The conversation begins; ``greet`` is false when it continues one that another process began."""

    at_ms: float
    greet: bool = True


@dataclass(frozen=True, slots=True)
class TurnTakenOver:
    """A turn that another process committed is still owed its reply, or the rest of it.

    ``candidate_id`` is 0 where no reply is known; else the rest of that candidate continues ``continues_playout_id``.
    """

    at_ms: float
    turn_id: int
    text: str
    candidate_id: int = 0
    continues_playout_id: int = 0


@dataclass(frozen=True, slots=True)
class SpeechWindow:
    """One 32 ms window of the caller's sound was judged.

    ``end_ms`` is the media time of its last sample, ``probability`` that of speech in it, ``level_dbfs`` its RMS level.
    """

    at_ms: float
    end_ms: float
    probability: float
    level_dbfs: float


@dataclass(frozen=True, slots=True)
class PartialHeard:
    """What is understood of the open utterance so far; ``covers_ms`` is the media time up to which it accounts."""

    at_ms: float
    turn_id: int
    text: str
    covers_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class FinalHeard:
    """The transcript that answers a ``Finalize``."""

    at_ms: float
    turn_id: int
    finalize_id: int
    text: str


@dataclass(frozen=True, slots=True)
class EndOfTurnJudged:
    """An end-of-turn model's opinion of the open utterance: 0 will go on, 1 has finished."""

    at_ms: float
    turn_id: int
    probability: float


@dataclass(frozen=True, slots=True)
class RecognitionFailed:
    """The open utterance cannot be understood: every attempt at recognising it failed."""

    at_ms: float
    turn_id: int


@dataclass(frozen=True, slots=True)
class ReplyContent:
    """The brain gave content (text, not reasoning) for a candidate; sent for the first and for every later piece."""

    at_ms: float
    candidate_id: int


@dataclass(frozen=True, slots=True)
class ReplyWritten:
    """The brain has finished a candidate. ``silent``: without one word to speak."""

    at_ms: float
    candidate_id: int
    silent: bool = False


@dataclass(frozen=True, slots=True)
class ReplyFailed:
    """Brain or synthesis failed; ``audible`` tells whether part of the candidate can still be spoken."""

    at_ms: float
    candidate_id: int
    audible: bool


@dataclass(frozen=True, slots=True)
class HangUpAsked:
    """The brain asked to end the call once this candidate has been heard."""

    at_ms: float
    candidate_id: int


@dataclass(frozen=True, slots=True)
class PlayoutStarted:
    """The first frame of a playout was sent."""

    at_ms: float
    playout_id: int


@dataclass(frozen=True, slots=True)
class PlayoutProgress:
    """``heard_ms`` of a playout have been played to the caller."""

    at_ms: float
    playout_id: int
    heard_ms: float


@dataclass(frozen=True, slots=True)
class PlayoutFinished:
    """A playout was played to its end, or (``failed``) has nothing more to play because its synthesis failed."""

    at_ms: float
    playout_id: int
    failed: bool = False


@dataclass(frozen=True, slots=True)
class DigitPressed:
    """The caller pressed a key: one of 0-9, *, #, A-D."""

    at_ms: float
    digit: str


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The call is over."""

    at_ms: float


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: sent when the engine's ``next_deadline`` is reached."""

    at_ms: float


Event = (
    CallStarted
    | TurnTakenOver
    | SpeechWindow
    | PartialHeard
    | FinalHeard
    | EndOfTurnJudged
    | RecognitionFailed
    | ReplyContent
    | ReplyWritten
    | ReplyFailed
    | HangUpAsked
    | PlayoutStarted
    | PlayoutProgress
    | PlayoutFinished
    | DigitPressed
    | CallEnded
    | Tick
)
