"""What brain, voice and line would have done about replies that were asked for or spoken at other times."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.engine import (
    Event,
    PlayoutFinished,
    PlayoutProgress,
    PlayoutStarted,
    ReplyContent,
    ReplyFailed,
    ReplyWritten,
    StartReply,
    words_of,
)
from toolbox.replay.recording import Recording, Reply
from toolbox.replay.story import Playout
from toolbox.replay.transcripts import Note

# For calls that hold no example.
_TYPICAL_CONTENT_MS = 600.0
_TYPICAL_WRITTEN_MS = 1500.0
_TYPICAL_READY_MS = 900.0
_REPORT_EVERY_MS = 200.0


@dataclass
class Sounding:
    """A playout of the replay. Times are the call's monotonic ms."""

    playout: Playout
    example: Playout | None
    """The recorded playout that its reports are taken from."""
    starts_at: float
    length_ms: float
    """Infinite where it is not known."""
    before_ms: float = 0.0
    """How much of the same speech earlier playouts of it have played."""
    stopped_at: float = math.inf

    def heard_ms(self, at: float) -> float:
        """How much of it was heard by then."""
        return max(0.0, min(at, self.stopped_at, self.starts_at + self.length_ms) - self.starts_at)


class Replies:
    """Answers for the brain, the voice and the line out of what they did in the recorded call."""

    def __init__(self, recording: Recording, note: Note) -> None:
        """Answer from ``recording``; say through ``note`` what is guessed."""
        self._recording = recording
        self._note = note
        self._started: dict[int, tuple[float, Reply | None]] = {}
        self.sounding: dict[int, Sounding] = {}

    # --------------------------------------------------------------------------------------------------- the brain

    def start(self, action: StartReply, at: float) -> Iterator[Event]:
        """The brain is asked."""
        example = self._example(action, at)
        self._started[action.candidate_id] = (at, example)
        events = [] if example is None else example.events
        for since, event in events:
            told: dict[str, Any] = {"at_ms": at + since, "candidate_id": action.candidate_id}
            yield dataclasses.replace(event, **told)
        last = max((since for since, _ in events), default=0.0)
        if not any(isinstance(event, ReplyContent | ReplyFailed) for _, event in events):
            last = max(last, self._usual(ReplyContent, _TYPICAL_CONTENT_MS))
            yield ReplyContent(at + last, action.candidate_id)
        if not any(isinstance(event, ReplyWritten | ReplyFailed) for _, event in events):
            if example is not None:
                self._note(action.turn_id, "the recorded reply was broken off: its end is a guess")
            yield ReplyWritten(at + max(last, self._usual(ReplyWritten, _TYPICAL_WRITTEN_MS)), action.candidate_id)

    def _example(self, action: StartReply, at: float) -> Reply | None:
        replies = sorted(self._recording.replies.values(), key=lambda reply: abs(reply.started_at - at))
        words = words_of(action.text)
        asked = [reply for reply in replies if words_of(reply.text) == words]
        if asked:
            # One that was spoken tells more than an early one that was thrown away.
            return next((reply for reply in asked if self._recording.ready_ms(reply) is not None), asked[0])
        if not replies:
            self._note(action.turn_id, "the recorded call has no reply at all: its times are a guess")
            return None
        self._note(action.turn_id, "the recorded call never asked this: the times are those of another reply")
        return next((reply for reply in replies if self._recording.ready_ms(reply) is not None), replies[0])

    def _usual(self, kind: type, otherwise: float) -> float:
        firsts = [
            next((since for since, event in reply.events if isinstance(event, kind)), None)
            for reply in self._recording.replies.values()
        ]
        known = [since for since in firsts if since is not None]
        return statistics.median(known) if known else otherwise

    # ---------------------------------------------------------------------------------------- the voice and the line

    def play(self, ordered: Playout, at: float) -> Iterator[Event]:
        """A playout is to be heard: its first frame and, where known, its reports and its end."""
        sounding = self._resumed(ordered, at) if ordered.continues else self._begun(ordered, at)
        self.sounding[ordered.playout_id] = sounding
        playout_id, start, length = ordered.playout_id, sounding.starts_at, sounding.length_ms
        reports = [] if sounding.example is None else self._recording.coming.get(sounding.example.playout_id, [])
        first = next((event for _, event in reports if isinstance(event, PlayoutStarted)), PlayoutStarted(0.0, 0))
        yield dataclasses.replace(first, at_ms=start, playout_id=playout_id)
        for since, event in reports:
            if isinstance(event, PlayoutProgress) and since < length:
                yield dataclasses.replace(event, at_ms=start + since, playout_id=playout_id)
        if not math.isinf(length):
            yield dataclasses.replace(self._end_of(sounding), at_ms=start + length, playout_id=playout_id)

    def report_after(self, playout_id: int, at: float) -> Event | None:
        """A report where the recorded call has none any more, because there it had been silenced."""
        sounding = self.sounding[playout_id]
        following = at + _REPORT_EVERY_MS
        if following >= min(sounding.stopped_at, sounding.starts_at + sounding.length_ms):
            return None
        if math.isinf(sounding.length_ms):
            self._note(sounding.playout.turn_id, "more is heard of it than in the recorded call: its end is not known")
        return PlayoutProgress(following, playout_id, following - sounding.starts_at)

    def silence(self, through: int, at: float) -> None:
        """Playouts up to this one are silenced."""
        for playout_id, sounding in self.sounding.items():
            if playout_id <= through:
                sounding.stopped_at = min(sounding.stopped_at, at)

    def _begun(self, ordered: Playout, at: float) -> Sounding:
        recording = self._recording
        if ordered.candidate_id:
            asked_at, reply = self._started.get(ordered.candidate_id, (at, None))
            ready = None if reply is None else recording.ready_ms(reply)
            if ready is None:
                known = [one for each in recording.replies.values() if (one := recording.ready_ms(each)) is not None]
                ready = statistics.median(known) if known else _TYPICAL_READY_MS
                self._note(ordered.turn_id, "the recorded call never heard this reply: when it sounds is a guess")
            example = None if reply is None else self._first_of(reply.candidate_id)
            return self._sounding(ordered, example, max(at + recording.glue_ms, asked_at + ready))
        prompts = [one for one in recording.playouts.values() if one.what == ordered.what and not one.candidate_id]
        example = min(prompts, key=lambda one: abs(one.ordered_at - at), default=None)
        wait = recording.glue_ms
        if example is not None and example.started_at is not None:
            wait = example.started_at - example.ordered_at
        return self._sounding(ordered, example, at + wait)

    def _sounding(self, ordered: Playout, example: Playout | None, starts_at: float) -> Sounding:
        length = None if example is None else self._recording.length_ms(example)
        return Sounding(ordered, example, starts_at, math.inf if length is None else length)

    def _resumed(self, ordered: Playout, at: float) -> Sounding:
        before = self.sounding.get(ordered.continues)
        starts_at = at + self._recording.glue_ms
        if before is None:
            return Sounding(ordered, None, starts_at, math.inf)
        left = before.length_ms - before.heard_ms(at)
        example = self._tail_of(before.example)
        return Sounding(ordered, example, starts_at, max(left, 0.0), before.before_ms + before.heard_ms(at))

    def _first_of(self, candidate_id: int) -> Playout | None:
        playouts = [one for one in self._recording.playouts.values() if one.candidate_id == candidate_id]
        sounded = [one for one in playouts if one.started_at is not None and not one.continues]
        return next(iter(sounded or playouts), None)

    def _tail_of(self, example: Playout | None) -> Playout | None:
        if example is None:
            return None
        return next((one for one in self._recording.playouts.values() if one.continues == example.playout_id), None)

    def _end_of(self, sounding: Sounding) -> PlayoutFinished:
        """The recorded end, for what it tells of the words; a replayed reply ends in the same ones."""
        example: Playout | None = sounding.example
        while example is not None:
            reports: Mapping[int, list[tuple[float, Event]]] = self._recording.coming
            for _, event in reports.get(example.playout_id, []):
                if isinstance(event, PlayoutFinished):
                    return event
            example = self._tail_of(example)
        return PlayoutFinished(0.0, 0)
