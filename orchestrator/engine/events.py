"""What the turn engine is told.

Every event carries ``at_ms``: milliseconds on a monotonic clock since the call began. Where something lies in the
caller's sound it is given in media time, milliseconds since the call's first sample; the two drift apart when the line
stalls, and silence is counted in the second.
"""

from __future__ import annotations

from dataclasses import dataclass

SILENCE_DBFS = -100.0
"""Level of no sound at all."""


@dataclass(frozen=True, slots=True)
class CallStarted:
    """The conversation begins; ``greet`` is false when it continues one that another process began.

    ``can_duck`` says whether the line can turn the agent down while it plays, ``can_take_message`` whether it can
    record a message, ``has_fallback`` whether there is another brain to ask.
    """

    at_ms: float
    greet: bool = True
    can_duck: bool = False
    can_take_message: bool = False
    has_fallback: bool = False


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

    ``end_ms`` is the media time of its last sample, ``probability`` that of speech in it, ``level_dbfs`` its RMS level,
    ``agent_dbfs`` that of the agent's own sound which is being played about now, as far as is known.
    """

    at_ms: float
    end_ms: float
    probability: float
    level_dbfs: float
    agent_dbfs: float = SILENCE_DBFS


@dataclass(frozen=True, slots=True)
class PartialHeard:
    """What is understood of the open utterance so far; ``covers_ms`` is the media time up to which it accounts."""

    at_ms: float
    turn_id: int
    text: str
    covers_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class FinalHeard:
    """The transcript that answers a ``Finalize``.

    ``language`` is the BCP 47 language of the text, empty where the recogniser does not say; ``language_confidence`` is
    0 where it was not detected but given.
    """

    at_ms: float
    turn_id: int
    finalize_id: int
    text: str
    language: str = ""
    language_confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class EndOfTurnJudged:
    """An end-of-turn model's opinion of the open utterance: 0 will go on, 1 has finished.

    ``covers_ms`` is the media time up to which it listened, 0 where that is not known.
    """

    at_ms: float
    turn_id: int
    probability: float
    covers_ms: float = 0.0


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
    """The first frame of a playout was sent; ``coming`` is the beginning of what it says."""

    at_ms: float
    playout_id: int
    coming: str = ""


@dataclass(frozen=True, slots=True)
class PlayoutProgress:
    """``heard_ms`` of a playout have been played to the caller.

    ``said`` is the end of what was heard of it so far, ``coming`` what follows in the next moments; both are bounded.
    """

    at_ms: float
    playout_id: int
    heard_ms: float
    said: str = ""
    coming: str = ""


@dataclass(frozen=True, slots=True)
class PlayoutFinished:
    """A playout was played to its end, or (``failed``) has nothing more to play because its synthesis failed.

    ``said`` is the end of what it said.
    """

    at_ms: float
    playout_id: int
    failed: bool = False
    said: str = ""


@dataclass(frozen=True, slots=True)
class DigitPressed:
    """The caller pressed a key: one of 0-9, *, #, A-D."""

    at_ms: float
    digit: str


@dataclass(frozen=True, slots=True)
class ServicesLoad:
    """How busy the speech services are: the largest share of slots in use at any of them, 0 to 1."""

    at_ms: float
    share: float


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
    | ServicesLoad
    | CallEnded
    | Tick
)
