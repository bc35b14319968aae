"""The playouts of one call, from the orchestrator to one line after another. Sans-IO.

It feeds the line at most `max_ahead_s` beyond what should be playing, so that a stall is not heard and a `clear` has
little to throw away; it turns echoed marks into playback reports; and it keeps what was sent until it is known to be
heard, so that a line that broke can be replaced by another without loss.

Nothing here awaits or reads a clock: `now` is in seconds of one monotonic clock. Call `poll` whenever something was
put in, and again at `wake_at`; then `take_news`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from gateway.line import DropAudio, LineCommand, PlaceMark, PlayAudio
from gateway.playout.line_buffer import LineBuffer, Mark, Sound
from gateway.playout.news import FirstSent, Heard, PlaybackReport, PlayoutCounts, PlayoutNews

# A timer may fire a hair before its time; without this the same chunk would be looked at twice.
_TOLERANCE_S = 0.002


@dataclass(slots=True)
class _Stretch:
    """What is known of one playout that is not over."""

    next_seq: int = 1
    received: int = 0
    """Bytes taken from the orchestrator."""
    heard: int = 0
    """Bytes known to have been played."""
    sent_any: bool = False
    complete: bool = False
    """Whether its last mark has come."""


class Playout:
    """Takes playouts in order, hands out line commands, and knows what was heard."""

    def __init__(
        self,
        *,
        bytes_per_second: int = 8_000,
        max_ahead_s: float = 1.0,
        chunk_s: float = 0.1,
        mark_timeout_s: float = 1.5,
        max_queued_s: float = 30.0,
    ) -> None:
        self._rate = bytes_per_second
        self._max_ahead_s = max_ahead_s
        self._chunk_s = min(chunk_s, max_ahead_s)
        self._chunk = max(1, int(self._chunk_s * bytes_per_second))
        # With less than this in the line's buffer, what there is goes out at once instead of waiting for a full chunk.
        self._low_s = min(0.06, max_ahead_s / 2)
        self._max_queued = int(max_queued_s * bytes_per_second)
        self._buffer = LineBuffer(bytes_per_second=bytes_per_second, mark_timeout_s=mark_timeout_s)
        self._stretches: dict[int, _Stretch] = {}
        self._queue: deque[Sound | Mark] = deque()
        self._queued_bytes = 0
        self._news: list[PlayoutNews] = []
        self._drop = False
        self._attached = False
        self._highest_id = 0
        self._highest_audio_id = 0
        self._cleared_through = 0
        self._finished_through = 0
        self.counts = PlayoutCounts()

    # ----------------------------------------------------------------------------------- from the orchestrator

    def announce(self, playout_id: int) -> bool:
        """A playout begins. False when it is stale: cleared before it came, or not higher than all before."""
        if playout_id <= max(self._highest_id, self._cleared_through):
            self.counts.stale += 1
            return False
        self._highest_id = playout_id
        self._stretches[playout_id] = _Stretch()
        return True

    def audio(self, playout_id: int, seq: int, payload: bytes) -> None:
        """The next piece of a playout. Stale and duplicate pieces are dropped; a gap in `seq` is counted and played."""
        stretch = self._stretches.get(playout_id)
        if stretch is None or stretch.complete or playout_id < self._highest_audio_id:
            self.counts.stale += 1
            return
        if seq != stretch.next_seq:
            if seq < stretch.next_seq:
                self.counts.duplicate += 1
                return
            self.counts.missing += seq - stretch.next_seq
        stretch.next_seq = seq + 1
        if not payload:
            return
        if self._queued_bytes + len(payload) > self._max_queued:
            self.counts.overflow += 1
            return
        self._highest_audio_id = playout_id
        self._queue.append(Sound(playout_id, payload, stretch.received))
        self._queued_bytes += len(payload)
        stretch.received += len(payload)

    def mark(self, playout_id: int, mark: int, *, last: bool = False) -> None:
        """A point behind everything the playout has brought so far."""
        stretch = self._stretches.get(playout_id)
        if stretch is None or stretch.complete:
            self.counts.stale += 1
            return
        stretch.complete = last
        self._queue.append(Mark(playout_id, mark, stretch.received, last))

    def clear(self, through: int, now: float) -> None:
        """Throw away every playout up to and including `through`, also what still arrives of it."""
        if through <= self._cleared_through:
            return
        self._cleared_through = through
        doomed = sorted(playout_id for playout_id in self._stretches if playout_id <= through)
        positions = {each: self._buffer.position(each, self._stretches[each].heard, now) for each in doomed}
        lost = self._empty_line(through, now)
        lost += [item for item in self._queue if isinstance(item, Mark) and item.playout_id <= through]
        self._queue = deque(item for item in self._queue if item.playout_id > through)
        self._queued_bytes = _bytes_of(self._queue)
        for each in doomed:
            stretch = self._stretches.pop(each)
            self._report_cleared(each, positions[each], stretch, [item for item in lost if item.playout_id == each])

    # -------------------------------------------------------------------------------------------- from the line

    def attach(self, now: float) -> None:
        """A line is there, with an empty buffer: what was not heard through an earlier one is sent again."""
        self.detach()
        self._attached = True
        self._buffer.begin(now)
        self._buffer.trust_marks()

    def detach(self) -> None:
        """The line is gone, and with it what it had buffered."""
        self._requeue(self._buffer.take_back())
        self._attached = False
        self._drop = False

    def echo(self, name: str, now: float) -> None:
        """The line echoed a mark. Unknown, late and repeated echoes are ignored, as are those of a cleared buffer."""
        reached = self._buffer.echoed(name, now)
        if not reached:
            self.counts.echoes_ignored += 1
        self._report_played(reached, estimated=False)

    # -------------------------------------------------------------------------------------------------- driving

    def poll(self, now: float) -> list[LineCommand]:
        """What to send to the line now, in order."""
        if not self._attached:
            return []
        self._catch_up(now)
        commands: list[LineCommand] = []
        if self._drop:
            self._drop = False
            commands.append(DropAudio())
        while self._queue:
            head = self._queue[0]
            if isinstance(head, Mark):
                self._queue.popleft()
                commands.append(PlaceMark(self._buffer.push_mark(head, now)))
            elif self._may_send(now):
                commands.append(PlayAudio(self._send_chunk(head.playout_id, now)))
            else:
                break
        return commands

    def wake_at(self, now: float) -> float | None:
        """When `poll` has something to do without anything new coming in; None for never."""
        if not self._attached:
            return None
        times = []
        if self._drop:
            times.append(now)
        if self._queue:
            full = self._sendable_bytes() >= self._chunk
            ahead = self._max_ahead_s - self._chunk_s if full else self._low_s
            times.append(self._buffer.ends_at - ahead)
        deadline = self._buffer.deadline()
        if deadline is not None:
            times.append(deadline)
        return max(now, min(times)) if times else None

    def take_news(self) -> list[PlayoutNews]:
        """What happened since the last time, oldest first."""
        news, self._news = self._news, []
        return news

    # ------------------------------------------------------------------------------------------------ questions

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be sent, and nothing sent waits to be heard."""
        return not self._queue and not self._buffer

    @property
    def queued_s(self) -> float:
        """Sound that waits to be sent, in seconds."""
        return self._queued_bytes / self._rate

    @property
    def highest_id(self) -> int:
        """The newest playout that was announced; 0 for none."""
        return self._highest_id

    def is_over(self, playout_id: int) -> bool:
        """Whether this playout was heard to its end, or cleared. False for one that has not come yet."""
        return playout_id <= max(self._cleared_through, self._finished_through)

    def ahead_s(self, now: float) -> float:
        """How much sound the line should hold unplayed."""
        return max(0.0, self._buffer.ends_at - now)

    # -------------------------------------------------------------------------------------------------- sending

    def _may_send(self, now: float) -> bool:
        ahead_s = self._buffer.ends_at - now
        if ahead_s <= self._low_s + _TOLERANCE_S:
            return True
        return self._sendable_bytes() >= self._chunk and ahead_s + self._chunk_s <= self._max_ahead_s + _TOLERANCE_S

    def _sendable_bytes(self) -> int:
        """Bytes that can go out as one message: up to a chunk, of one playout, up to its next mark.

        What a mark or another playout closes counts as a full chunk: waiting would bring nothing more.
        """
        total = 0
        playout_id = self._queue[0].playout_id
        for item in self._queue:
            if isinstance(item, Mark) or item.playout_id != playout_id:
                return self._chunk
            total += len(item.payload)
            if total >= self._chunk:
                break
        return total

    def _send_chunk(self, playout_id: int, now: float) -> bytes:
        pieces: list[bytes] = []
        begins = 0
        room = self._chunk
        while room > 0 and self._queue:
            item = self._queue[0]
            if isinstance(item, Mark) or item.playout_id != playout_id:
                break
            if not pieces:
                begins = item.begins
            piece = item.payload[:room]
            if len(piece) == len(item.payload):
                self._queue.popleft()
            else:
                self._queue[0] = Sound(playout_id, item.payload[room:], item.begins + room)
            pieces.append(piece)
            room -= len(piece)
        payload = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._queued_bytes -= len(payload)
        self._buffer.push_sound(Sound(playout_id, payload, begins), now)
        stretch = self._stretches.get(playout_id)
        if stretch is not None and not stretch.sent_any:
            stretch.sent_any = True
            self._news.append(FirstSent(playout_id))
        return payload

    # ---------------------------------------------------------------------------------------- what was heard

    def _catch_up(self, now: float) -> None:
        """Reckon by the clock what the line should have echoed and did not."""
        given_up = self._buffer.given_up(now)
        self.counts.marks_estimated += len(given_up)
        self._report_played(given_up, estimated=True)
        for sound in self._buffer.heard_unmarked(now):
            stretch = self._stretches.get(sound.playout_id)
            if stretch is not None:
                stretch.heard = max(stretch.heard, sound.begins + len(sound.payload))

    def _report_played(self, marks: list[Mark], *, estimated: bool) -> None:
        for mark in marks:
            stretch = self._stretches.get(mark.playout_id)
            if stretch is not None:
                stretch.heard = max(stretch.heard, mark.position)
            position_s = mark.position / self._rate
            self._news.append(
                PlaybackReport(mark.playout_id, mark.mark, Heard.PLAYED, position_s, estimated, mark.last)
            )
            if mark.last:
                self._finished_through = max(self._finished_through, mark.playout_id)
                # Playouts are heard in order: whatever came before this one is over too, however it ended.
                for older in [each for each in self._stretches if each <= mark.playout_id]:
                    del self._stretches[older]

    def _report_cleared(self, playout_id: int, position: int, stretch: _Stretch, lost: list[Mark]) -> None:
        marks = [item.mark for item in lost] or [0]
        for mark in marks:
            self._news.append(
                PlaybackReport(
                    playout_id,
                    mark,
                    Heard.CLEARED,
                    position / self._rate,
                    estimated=position != stretch.heard,
                    last=mark == marks[-1],
                )
            )

    # ------------------------------------------------------------------------------------------------- clearing

    def _empty_line(self, through: int, now: float) -> list[Mark]:
        """Have the line drop its buffer, unless nothing that is to go can still be in there; the marks lost."""
        if not self._buffer.holds(through):
            return []
        if self._buffer.sounds_above(through, now):
            # A later playout sounds already: what came before it has left the buffer, only its marks are under way.
            return self._buffer.discard(through)
        lost = self._buffer.marks(through)
        self._requeue(self._buffer.take_back(above=through))
        self._buffer.begin(now)
        self._drop = self._attached
        return lost

    def _requeue(self, items: list[Sound | Mark]) -> None:
        self._queue.extendleft(reversed(items))
        self._queued_bytes += _bytes_of(items)


def _bytes_of(items: deque[Sound | Mark] | list[Sound | Mark]) -> int:
    return sum(len(item.payload) for item in items if isinstance(item, Sound))
