"""The caller's sound on its way to the orchestrator: capped in speed, numbered, and kept for a successor. Sans-IO."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

_MAX_PIECE_S = 1.0


class SpeedCap:
    """Lets a line bring sound at a multiple of real time, with a burst after a hiccup, and no more."""

    def __init__(self, *, speed: float, burst_s: float, now: float) -> None:
        self._speed = speed
        self._burst_s = burst_s
        self._credit_s = burst_s
        self._at = now

    def admit(self, duration_s: float, now: float) -> bool:
        """Whether this much sound may come in now."""
        self._credit_s = min(self._burst_s, self._credit_s + (now - self._at) * self._speed)
        self._at = now
        if duration_s > self._credit_s:
            return False
        self._credit_s -= duration_s
        return True


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the caller's sound, at most 1 s."""

    seq: int
    begins: int
    """Bytes of the call before this piece."""
    payload: bytes


class CallerTape:
    """The caller's sound since the last checkpoint, with a cursor at what was not yet sent.

    One structure serves as the queue to the orchestrator and as the memory for its successor: a resume moves the
    cursor back. Bounded: the oldest goes when more than `retain_s` is held.
    """

    def __init__(self, *, bytes_per_second: int = 8_000, retain_s: float = 60.0) -> None:
        self._rate = bytes_per_second
        self._retain = int(retain_s * bytes_per_second)
        self._max_piece = int(_MAX_PIECE_S * bytes_per_second)
        self._kept: deque[Piece] = deque()
        self._unsent: deque[Piece] = deque()
        self._next_seq = 1
        self._length = 0
        self.lost = 0
        """Pieces that were given up before they were sent."""

    @property
    def position_s(self) -> float:
        """Media time of the call: how much of the caller's sound was taken."""
        return self._length / self._rate

    @property
    def unsent_s(self) -> float:
        """Sound that waits to be sent."""
        return (self._length - self._unsent[0].begins) / self._rate if self._unsent else 0.0

    def seconds(self, piece: Piece) -> float:
        """Where a piece begins, in the call's media time."""
        return piece.begins / self._rate

    def append(self, payload: bytes) -> None:
        """Take sound of any length."""
        if len(payload) <= self._max_piece:
            self._append(payload)
        else:
            for at in range(0, len(payload), self._max_piece):
                self._append(payload[at : at + self._max_piece])

    def next_unsent(self) -> Piece | None:
        """The next piece to send, once; None when there is none."""
        return self._unsent.popleft() if self._unsent else None

    def forget_before(self, covered_s: float) -> None:
        """A checkpoint accounts for what came before this media time."""
        covered = covered_s * self._rate
        while self._kept and self._kept[0].begins + len(self._kept[0].payload) <= covered + 0.5:
            self._kept.popleft()

    def rewind(self) -> None:
        """Send again everything kept: all that no checkpoint accounts for."""
        self._unsent = deque(self._kept)

    def __iter__(self) -> Iterator[Piece]:
        """What is kept, oldest first."""
        return iter(self._kept)

    def _append(self, payload: bytes) -> None:
        piece = Piece(self._next_seq, self._length, payload)
        self._next_seq += 1
        self._length += len(payload)
        self._kept.append(piece)
        self._unsent.append(piece)
        while self._length - self._kept[0].begins > self._retain:
            oldest = self._kept.popleft()
            if self._unsent and self._unsent[0] is oldest:
                self._unsent.popleft()
                self.lost += 1
