"""What a recorded call tells about the parts around the engine: recogniser, brain, voice and line."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator.engine import (
    BeginUtterance,
    CallEnded,
    EndUtterance,
    Event,
    FinalHeard,
    Finalize,
    PartialHeard,
    PlayoutFinished,
    PlayoutProgress,
    PlayoutStarted,
    SpeechWindow,
    StartReply,
    Tick,
    TurnTakenOver,
)
from orchestrator.event_log import Entry
from toolbox.replay.story import Playout, Story, tell

_SPEECH = 0.5


@dataclass
class Recognised:
    """What was understood of one utterance, and when."""

    turn_id: int
    began_at: float
    ended_at: float = float("inf")
    finalized_at: dict[int, float] = field(default_factory=dict)
    finals: dict[int, FinalHeard] = field(default_factory=dict)
    texts: list[tuple[float, str]] = field(default_factory=list)
    """(when, the best transcript from then on)"""

    def text_at(self, at: float) -> str:
        """The transcript that stood at a moment."""
        known = bisect.bisect_right(self.texts, at, key=lambda one: one[0])
        return self.texts[known - 1][1] if known else ""

    @property
    def last_text(self) -> str:
        """The transcript in the end."""
        return self.texts[-1][1] if self.texts else ""


@dataclass
class Reply:
    """One candidate, and what brain and synthesis did about it."""

    candidate_id: int
    turn_id: int
    text: str
    started_at: float
    events: list[tuple[float, Event]] = field(default_factory=list)
    """(ms after it was started, event)"""
    discarded: bool = False


@dataclass
class Recording:
    """A recorded call, taken apart into what caused what."""

    outside: list[Event] = field(default_factory=list)
    """Events that would have come whatever the engine had done, the caller's sound among them, in order."""
    about_utterances: list[Event] = field(default_factory=list)
    """What came from the recogniser and the like, other than finals."""
    utterances: list[Recognised] = field(default_factory=list)
    replies: dict[int, Reply] = field(default_factory=dict)
    speech_at: list[float] = field(default_factory=list)
    """When each window of speech came."""
    story: Story = field(default_factory=Story)
    coming: dict[int, list[tuple[float, Event]]] = field(default_factory=dict)
    """Playout → (ms after its first frame, report)."""

    @property
    def ended(self) -> bool:
        """Whether the log goes on to the end of the call."""
        return any(isinstance(event, CallEnded) for event in self.outside)

    @property
    def playouts(self) -> dict[int, Playout]:
        """Everything the agent played."""
        return self.story.playouts

    def last_speech_before(self, at: float) -> float:
        """When the last window of speech up to a moment came."""
        index = bisect.bisect_right(self.speech_at, at)
        return self.speech_at[index - 1] if index else float("-inf")

    def utterance_of(self, turn_id: int) -> Recognised | None:
        """A recorded turn's utterance."""
        return next((one for one in self.utterances if one.turn_id == turn_id), None)

    def ready_ms(self, reply: Reply) -> float | None:
        """From the order of a reply to its first frame, for one that was spoken: never less than it takes."""
        starts = [
            playout.started_at - reply.started_at
            for playout in self.playouts.values()
            if playout.candidate_id == reply.candidate_id and playout.started_at is not None and not playout.continues
        ]
        return min(starts, default=None)

    def length_ms(self, playout: Playout) -> float | None:
        """How long a playout and what continues it are together; None where the recorded call did not hear its end."""
        if playout.started_at is None:
            return None
        if playout.finished_at is not None:
            return playout.finished_at - playout.started_at
        tail = next((one for one in self.playouts.values() if one.continues == playout.playout_id), None)
        rest = None if tail is None else self.length_ms(tail)
        return None if rest is None else self.heard_ms(playout) + rest

    def heard_ms(self, playout: Playout) -> float:
        """How much of a playout was heard."""
        return max((heard for _, heard in playout.heard), default=0.0)

    @property
    def glue_ms(self) -> float:
        """What lies between the order to play what is ready and its first frame, at the least."""
        waits = [one.started_at - one.ordered_at for one in self.playouts.values() if one.started_at is not None]
        return min(waits, default=0.0)


def take_apart(entries: Sequence[Entry]) -> Recording:
    """Find out what caused what in a recorded call."""
    recording = Recording(story=tell((entry.event, entry.actions) for entry in entries))
    for entry in entries:
        _sort(recording, entry.event)
        at = entry.event.at_ms
        for action in entry.actions:
            match action:
                case BeginUtterance(turn_id=turn_id):
                    recording.utterances.append(Recognised(turn_id, at))
                case EndUtterance(turn_id=turn_id):
                    if one := recording.utterance_of(turn_id):
                        one.ended_at = at
                case Finalize(turn_id=turn_id, finalize_id=finalize_id):
                    if one := recording.utterance_of(turn_id):
                        one.finalized_at[finalize_id] = at
                case StartReply(turn_id=turn_id, candidate_id=candidate_id, text=text):
                    recording.replies[candidate_id] = Reply(candidate_id, turn_id, text, at)
        if isinstance(entry.event, CallEnded):
            break
    return recording


def _sort(recording: Recording, event: Event) -> None:
    match event:
        case Tick():
            return
        case FinalHeard(turn_id=turn_id):
            if one := recording.utterance_of(turn_id):
                one.finals[event.finalize_id] = event
                one.texts.append((event.at_ms, event.text))
        case PlayoutStarted() | PlayoutProgress() | PlayoutFinished():
            playout = recording.playouts.get(event.playout_id)
            if playout is not None and playout.started_at is not None:
                since = event.at_ms - playout.started_at
                recording.coming.setdefault(event.playout_id, []).append((since, event))
        case TurnTakenOver():
            recording.outside.append(event)
        case _ if hasattr(event, "candidate_id"):
            reply = recording.replies.get(event.candidate_id)
            if reply is not None:
                reply.events.append((event.at_ms - reply.started_at, event))
        case _ if hasattr(event, "turn_id"):
            recording.about_utterances.append(event)
            if isinstance(event, PartialHeard) and (one := recording.utterance_of(event.turn_id)):
                one.texts.append((event.at_ms, event.text))
        case _:
            recording.outside.append(event)
            if isinstance(event, SpeechWindow) and event.probability >= _SPEECH:
                recording.speech_at.append(event.at_ms)
