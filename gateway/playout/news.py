"""What a `Playout` tells about itself."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TypeAlias


class Heard(enum.Enum):
    """What became of the sound before a mark."""

    PLAYED = "played"
    CLEARED = "cleared"


@dataclass(frozen=True, slots=True)
class PlaybackReport:
    """How far a playout was heard."""

    playout_id: int
    mark: int
    """The mark reached or cleared; 0 for a report between marks."""
    heard: Heard
    position_s: float
    """How much of the playout was played, from its start, in seconds."""
    estimated: bool = False
    """Whether the clock says so, not the line."""
    last: bool = False
    """Whether this ends the playout: its last mark, or the last report of a clear."""


@dataclass(frozen=True, slots=True)
class FirstSent:
    """The first sound of a playout went to the line."""

    playout_id: int


PlayoutNews: TypeAlias = PlaybackReport | FirstSent


@dataclass(slots=True)
class PlayoutCounts:
    """What was found amiss in a call, for metrics."""

    stale: int = 0
    """Messages of a playout that was cleared, completed or overtaken."""
    duplicate: int = 0
    """Pieces of sound that came twice."""
    missing: int = 0
    """Pieces of sound that a gap in `seq` says never came."""
    overflow: int = 0
    """Pieces of sound dropped because too much waited already."""
    echoes_ignored: int = 0
    """Echoes of marks that were unknown, late, repeated, or thrown back by a cleared line."""
    marks_estimated: int = 0
    """Marks that the line did not echo in time."""
