"""Which words reached the caller: positions in sound mapped to positions in text.

A word counts as heard when its last sample was played. Where the engine gives no alignment, a segment's characters are
taken to be spread evenly over its sound.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Protocol

_WORD = re.compile(r"\S+")


class SegmentText(Protocol):
    """A stretch of text that was synthesised as one."""

    @property
    def spoken(self) -> str:
        """What is pronounced."""

    @property
    def written_end(self) -> int:
        """Where what it says ends in the reply as written, in code points."""

    def written_offset(self, spoken_offset: int) -> int:
        """The position in the reply as written that corresponds to one in ``spoken``."""


@dataclass(frozen=True, slots=True)
class Range:
    """Code points ``[text_start, text_end)`` of a segment sound from sample ``start`` to ``end`` of its sound."""

    text_start: int
    text_end: int
    start: int
    end: int


@dataclass(slots=True)
class AlignedSegment:
    """A segment and where its sound lies in the reply's sound, in samples."""

    text: SegmentText
    text_start: int
    """Where it begins in the candidate's spoken text, in code points."""
    start: int
    """First sample of its sound in the reply."""
    samples: int = 0
    """Samples of it that have come."""
    done: bool = False
    """Whether all of its sound has come."""
    ranges: list[Range] = field(default_factory=list)

    @property
    def end(self) -> int:
        """One past its last sample that has come."""
        return self.start + self.samples

    def words(self) -> list[Range]:
        """Its words with their samples: as aligned, or spread evenly."""
        if self.ranges:
            return self.ranges
        spoken = self.text.spoken
        length = max(1, len(spoken.rstrip()))
        return [
            Range(m.start(), m.end(), m.start() * self.samples // length, m.end() * self.samples // length)
            for m in _WORD.finditer(spoken)
        ]


def heard_of(segment: AlignedSegment, sample: int) -> int:
    """Code points of the segment's spoken text that were heard when the reply was played up to ``sample``."""
    if segment.done and sample >= segment.end:
        return len(segment.text.spoken)
    if not segment.done and not segment.ranges:
        return 0  # how long it will be is not known yet, so nothing can be spread over it
    played = sample - segment.start
    return max((word.text_end for word in segment.words() if word.end <= played), default=0)


def heard_written(segments: list[AlignedSegment], sample: int) -> int:
    """Code points of the reply *as written* that were heard when it was played up to ``sample``."""
    heard = 0
    for segment in segments:
        if sample <= segment.start:
            break
        offset = heard_of(segment, sample)
        if offset >= len(segment.text.spoken):
            heard = segment.text.written_end
        elif offset > 0:
            heard = max(heard, segment.text.written_offset(offset))
    return heard


def resume_point(segments: list[AlignedSegment], sample: int) -> tuple[int, int]:
    """Where to go on after a pause at ``sample``: the first word that was not heard to its end.

    Returns its first sample in the reply and its first code point in the candidate's spoken text.
    """
    for segment in segments:
        if segment.done and sample >= segment.end:
            continue
        if not segment.done and not segment.ranges:
            return max(segment.start, sample), segment.text_start
        for word in segment.words():
            if segment.start + word.end > sample:
                return segment.start + min(word.start, segment.samples), segment.text_start + word.text_start
        return segment.end, segment.text_start + len(segment.text.spoken)
    return sample, segments[-1].text_start + len(segments[-1].text.spoken) if segments else 0
