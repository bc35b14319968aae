"""A stretch of speech and where it stands in what the model wrote."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SpeechSegment:
    """One piece of text for the synthesiser.

    Offsets count Unicode code points. The written ranges of a reply's segments follow one another without gap or
    overlap from 0, so that what was heard of the speech is a prefix of what was written.

    Attributes:
        number: from 1, in order.
        spoken: what to say; no markup, no line breaks, no blanks at its ends, at least one letter or digit.
        written_start: where its written text begins.
        written_end: where it ends: behind the white space that follows it. The same as `written_start` in the rare case
            that a number is so long in words that it fills several segments: it counts with the last of them.
    """

    number: int
    spoken: str
    written_start: int
    written_end: int
    # For each code point of `spoken`: where the written text ends that has been said once it has been said.
    _ends: tuple[int, ...] = field(repr=False, default=())

    def written_offset(self, spoken_offset: int) -> int:
        """Where the written text ends of which `spoken_offset` code points of `spoken` were heard.

        Monotonic; `written_start` for nothing and `written_end` for everything. What is said for something written
        otherwise (a host for an address, words for a number) counts once it was said whole.
        """
        if spoken_offset <= 0:
            return self.written_start
        if spoken_offset >= len(self.spoken):
            return self.written_end
        return self._ends[spoken_offset - 1]
