"""Twilio's playout buffer as a pure object: a FIFO at 8000 bytes a second, with marks and `clear`.

Time is a sample position at 8 kHz since the call was answered, given by the caller of each method; nothing here reads
a clock. At position p the samples before p have been played.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from toolbox.phone.track import Track


@dataclass(frozen=True, slots=True)
class Placed:
    """Where received audio will be played: [start, end) in samples; `dropped` samples did not fit the buffer."""

    start: int
    end: int
    dropped: int


@dataclass(frozen=True, slots=True)
class MarkEcho:
    """A mark to send back. `cleared` tells that its audio was thrown away, which the wire does not say."""

    name: str
    position: int
    cleared: bool


@dataclass(frozen=True, slots=True)
class Cleared:
    """What a `clear` did: the echoes it owes, those already due first, and how much audio was thrown away."""

    echoes: tuple[MarkEcho, ...]
    dropped: int


class Playout:
    """The far end's buffer; `track` holds what was, and as things stand will be, heard."""

    def __init__(self, track: Track, cap_samples: int) -> None:
        self.track = track
        self._cap = cap_samples
        self._now = 0
        self._marks: deque[tuple[int, str]] = deque()
        self._end = 0

    @property
    def end(self) -> int:
        """The position at which the buffer will have been played empty."""
        return self._end

    def buffered(self, position: int) -> int:
        """Samples still to be played at a position."""
        return max(0, self._end - position)

    def receive(self, position: int, audio: bytes) -> Placed:
        """Queue audio that arrived at a position."""
        now = self._at(position)
        start = max(self._end, now)
        room = max(0, self._cap - (start - now))
        fits = audio if len(audio) <= room else audio[:room]
        if fits:
            self.track.write(start, fits)
            self._end = start + len(fits)
        return Placed(start, start + len(fits), len(audio) - len(fits))

    def mark(self, position: int, name: str) -> None:
        """Queue a mark behind the audio received so far; `advance` echoes it, at once if nothing is buffered."""
        self._marks.append((max(self._end, self._at(position)), name))

    def clear(self, position: int) -> Cleared:
        """Empty the buffer: everything unplayed is dropped and every outstanding mark is echoed."""
        played = self.advance(position)
        now = self._now
        echoes = [*played, *(MarkEcho(name, now, cleared=True) for _, name in self._marks)]
        self._marks.clear()
        dropped = self.buffered(now)
        if dropped:
            self.track.truncate(now)
            self._end = now
        return Cleared(tuple(echoes), dropped)

    def advance(self, position: int) -> list[MarkEcho]:
        """Play up to a position and return the marks whose audio has been played, in order."""
        now = self._at(position)
        echoes: list[MarkEcho] = []
        while self._marks and self._marks[0][0] <= now:
            due, name = self._marks.popleft()
            echoes.append(MarkEcho(name, due, cleared=False))
        return echoes

    def next_due(self) -> int | None:
        """The position of the next echo, or None when no mark is outstanding."""
        return self._marks[0][0] if self._marks else None

    def forget_marks(self) -> None:
        """Drop outstanding marks: the stream that sent them is gone."""
        self._marks.clear()

    def _at(self, position: int) -> int:
        self._now = max(self._now, position)
        return self._now
