"""Sends one stretch of agent audio to the gateway: paced, marked, and never far ahead of what was heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from google.protobuf.duration_pb2 import Duration

from orchestrator.engine.events import SILENCE_DBFS
from orchestrator.outbox import Outbox
from orchestrator.played_level import PlayedLevels
from orchestrator.spoken import SpokenReply
from parley.audio.v1 import audio_pb2
from parley.conversation.v1 import conversation_pb2 as conv
from servicekit.logs import get_logger

log = get_logger(__name__)

MARK_EVERY_MS = 200.0
# Fewer messages cost less on both sides; the first piece goes out however short it is, and is soon followed.
PIECE_MS = 200.0
FIRST_PIECE_MS = 60.0
# What the contract allows beyond the line's own max_playout_ahead.
GRACE_MS = 500.0
# A gateway reports marks, or reckons by the clock where the line gives none. One that does neither for this much longer
# than the sound takes has lost them: better to go on than to be silent for good.
REPORT_OVERDUE_S = 5.0


def duration_of(ms: float) -> Duration:
    """A protobuf duration of so many milliseconds."""
    duration = Duration()
    duration.FromMicroseconds(round(ms * 1000))
    return duration


def ms_of(duration: Duration) -> float:
    """Milliseconds of a protobuf duration."""
    return duration.seconds * 1000.0 + duration.nanos / 1e6


@dataclass(slots=True)
class MarkCounter:
    """Numbers the marks of a call."""

    last: int = 0

    def next(self) -> int:
        """A new mark's number."""
        self.last += 1
        return self.last


@dataclass(slots=True)
class Playout:
    """One contiguous stretch of a reply's sound, from ``start_sample`` to its end."""

    playout_id: int
    kind: conv.PlayoutKind.ValueType
    spoken: SpokenReply
    outbox: Outbox
    marks: MarkCounter
    ahead_ms: float
    """The line's max_playout_ahead."""
    turn_id: int = 0
    candidate_id: int = 0
    continues: int = 0
    start_sample: int = 0
    text_offset: int = 0
    language: str = ""
    trace: audio_pb2.TraceContext | None = None
    on_first_sent: Callable[[], None] = lambda: None
    announced: bool = False
    """Whether the gateway knows of it."""
    sent_ms: float = 0.0
    reported_ms: float = 0.0
    last_mark: int = 0
    """Number of the mark behind its last sound; 0 until that was sent."""
    _levels: PlayedLevels = field(init=False)
    _heard_at_ms: float | None = None
    _heard_ms: float = 0.0
    _reported: asyncio.Event = field(default_factory=asyncio.Event)
    _segments_told: int = 0
    _final_told: bool = False

    def __post_init__(self) -> None:
        self._levels = PlayedLevels(self.spoken.format)

    def first_sent(self, now_ms: float) -> None:
        """Its first sound went out: from here on it is taken to be playing."""
        self._heard_at_ms, self._heard_ms = now_ms, 0.0

    @property
    def began(self) -> bool:
        """Whether its first sound went out. Before that a clear may have overtaken all of it, so that none knows it."""
        return self._heard_at_ms is not None

    def level_at(self, now_ms: float) -> float:
        """How loud, in dBFS, what the caller hears of it at a moment is, going by the last report and the clock."""
        if self._heard_at_ms is None:
            return SILENCE_DBFS
        return self._levels.at(min(self._heard_ms + now_ms - self._heard_at_ms, self.sent_ms))

    async def run(self) -> bool:
        """Send it to its end and wait until it was heard. False when there was nothing to send."""
        position = self.start_sample
        seq = 0
        next_mark_ms = MARK_EVERY_MS
        while (waiting := await self.spoken.available(position)) > 0:
            longest = PIECE_MS if self.announced else FIRST_PIECE_MS
            length = min(longest, next_mark_ms - self.sent_ms, self.spoken.ms(waiting))
            await self._room(length)
            payload = self.spoken.read(position, max(1, self.spoken.samples_in(length)))
            self._levels.push(payload)
            if not self.announced:
                self._announce()
            seq += 1
            audio = conv.AgentAudio(playout_id=self.playout_id, seq=seq, payload=payload)
            self.outbox.put(conv.AgentEvent(audio=audio), self.on_first_sent if seq == 1 else None)
            position = self.spoken.cursor
            self._tell_text(position)
            self.sent_ms = self.spoken.ms(position - self.start_sample)
            if self.sent_ms >= next_mark_ms - 0.01:
                next_mark_ms += MARK_EVERY_MS
                self._mark(last=self.spoken.complete and position >= self.spoken.samples)
        if not self.announced:
            return False
        if not self._final_told:
            self._tell("", 0.0, final=True)
        if not self.last_mark:
            self._mark(last=True)
        while self.reported_ms < self.sent_ms - 0.01:
            await self._report(self.sent_ms - self.reported_ms)
        return True

    def report(self, position_ms: float, now_ms: float | None = None) -> None:
        """The gateway says that so much of it was played, by now."""
        if position_ms > self.reported_ms:
            if now_ms is not None and self._heard_at_ms is not None:
                self._heard_at_ms, self._heard_ms = now_ms, position_ms
            self.reported_ms = min(position_ms, self.sent_ms)
            self.spoken.played(self.start_sample + self.spoken.samples_in(self.reported_ms))
            self._reported.set()

    async def _room(self, length_ms: float) -> None:
        while self.sent_ms + length_ms - self.reported_ms > self.ahead_ms + GRACE_MS:
            await self._report(self.sent_ms - self.reported_ms)

    async def _report(self, expected_within_ms: float) -> None:
        self._reported.clear()
        try:
            async with asyncio.timeout(expected_within_ms / 1000.0 + REPORT_OVERDUE_S):
                await self._reported.wait()
        except TimeoutError:
            log.warning("no playback report came in time, going by the clock", playout_id=self.playout_id)
            self.report(self.sent_ms)

    def _announce(self) -> None:
        self.announced = True
        playout = conv.Playout(
            playout_id=self.playout_id,
            kind=self.kind,
            turn_id=self.turn_id,
            candidate_id=self.candidate_id,
            continues_playout_id=self.continues,
            text_offset=self.text_offset,
            trace=self.trace,
        )
        self.outbox.put(conv.AgentEvent(playout=playout))

    def _tell_text(self, sent: int) -> None:
        """Send the text of each segment of whose sound some was sent: all up to the sample ``sent`` was."""
        segments = self.spoken.segments
        while self._segments_told < len(segments):
            segment = segments[self._segments_told]
            unpronounced = segment.samples == 0
            if (unpronounced and not segment.done) or (not unpronounced and segment.start >= sent):
                return
            self._segments_told += 1
            if unpronounced or segment.end <= self.start_sample:
                continue
            skipped = max(0, self.text_offset - segment.text_start)
            last = self.spoken.complete and self._segments_told == len(segments)
            at_ms = self.spoken.ms(max(0, segment.start - self.start_sample))
            self._tell(segment.text.spoken[skipped:], at_ms, final=last)

    def _tell(self, text: str, at_ms: float, *, final: bool) -> None:
        self._final_told = self._final_told or final
        transcript = conv.Transcript(
            turn_id=self.turn_id,
            speaker=conv.SPEAKER_AGENT,
            text=text,
            final=final,
            language=self.language,
            playout_id=self.playout_id,
            position=duration_of(at_ms),
        )
        self.outbox.put(conv.AgentEvent(transcript=transcript))

    def _mark(self, *, last: bool) -> None:
        mark = conv.Mark(
            playout_id=self.playout_id, mark=self.marks.next(), position=duration_of(self.sent_ms), last=last
        )
        if last:
            self.last_mark = mark.mark
        self.outbox.put(conv.AgentEvent(mark=mark))
