"""Word positions from the cloud's own boundaries."""

from __future__ import annotations

from tts_service.speech import WordSpan

TICKS_PER_SECOND = 10_000_000
"""Microsoft counts time in units of 100 ns."""


class WordTrack:
    """Finds the words of one request in its text, and holds each back until its sound is out."""

    def __init__(self, text: str, rate_hz: int) -> None:
        """`text` is the request's; samples count at `rate_hz` from its start."""
        self._text = text
        self._rate_hz = rate_hz
        self._cursor = 0
        self._waiting: list[WordSpan] = []

    def add(self, word: str, offset: float, duration: float) -> None:
        """A word boundary, in ticks; one that is not in the text (a number read as words, perhaps) is left out."""
        start = self._text.find(word, self._cursor) if word else -1
        if start < 0:
            return
        self._cursor = start + len(word)
        first = round(max(0.0, offset) * self._rate_hz / TICKS_PER_SECOND)
        length = round(max(0.0, duration) * self._rate_hz / TICKS_PER_SECOND)
        if self._waiting:
            first = max(first, self._waiting[-1].end_sample)
        if length > 0:
            self._waiting.append(WordSpan(start, self._cursor, first, first + length))

    def until(self, samples: int) -> list[WordSpan]:
        """The words whose sound is out once so many samples are, in order."""
        count = 0
        while count < len(self._waiting) and self._waiting[count].end_sample <= samples:
            count += 1
        out, self._waiting = self._waiting[:count], self._waiting[count:]
        return out

    def finish(self, samples: int) -> list[WordSpan]:
        """The rest, within a sound of so many samples."""
        return [
            WordSpan(word.text_start, word.text_end, word.start_sample, min(word.end_sample, samples))
            for word in self.until(1 << 62)
            if word.start_sample < samples
        ]
