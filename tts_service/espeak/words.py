"""Word alignments from eSpeak NG's events, which come as it speaks."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable

from tts_service.espeak.synthesis import WordStart
from tts_service.speech import WordSpan

_TOKEN = re.compile(r"\S+")


class WordTrack:
    """Turns word starts into spans that cover the written words.

    eSpeak NG counts words its own way: "on the" may be one, "123456" several, an event may step back inside a number.
    Spans follow the writing instead: all events inside one written word are joined, written words without an event of
    their own belong to the one before. In scripts without spaces each event is a word.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [match.span() for match in _TOKEN.finditer(text)]
        self._starts = [start for start, _ in self._tokens]
        self._open: tuple[int, int, int] | None = None  # text start, text end, first sample
        self._reached = 0  # end of the text already covered

    def add(self, starts: Iterable[WordStart]) -> list[WordSpan]:
        """Take the next events; give the spans that became complete."""
        done: list[WordSpan] = []
        for event in starts:
            if event.length <= 0:
                self._close(event.sample, done)
                continue
            place = self._place(event)
            if place is None:
                continue
            start, end = place
            if self._open is not None and start < self._open[1]:
                # Still the same written word; one without spaces may end further on.
                self._open = (self._open[0], max(self._open[1], end), self._open[2])
                continue
            if start < self._reached:
                continue
            self._close(event.sample, done, until=start)
            self._open = (start, end, event.sample)
        return done

    def finish(self, total_samples: int) -> list[WordSpan]:
        """The passage ended here; give what was still open."""
        done: list[WordSpan] = []
        self._close(total_samples, done)
        return done

    def _close(self, sample: int, done: list[WordSpan], *, until: int | None = None) -> None:
        if self._open is None:
            return
        start, end, first = self._open
        if until is not None:
            # Words between that had no event of their own were said with this one.
            silent_words = [stop for begin, stop in self._tokens if end <= begin and stop <= until]
            end = silent_words[-1] if silent_words else end
        self._open = None
        self._reached = max(self._reached, end)
        if sample > first:
            done.append(WordSpan(start, end, first, sample))

    def _place(self, event: WordStart) -> tuple[int, int] | None:
        """Which stretch of the writing an event stands for; None when it points behind the text."""
        index = max(0, bisect_right(self._starts, event.text_start) - 1)
        if index < len(self._tokens) and self._tokens[index][1] <= event.text_start:
            index += 1  # it points at the space before the word
        if index >= len(self._tokens):
            return None
        start, end = self._tokens[index]
        if start <= event.text_start < end and _is_wide(self._text[event.text_start]):
            return event.text_start, min(end, event.text_start + event.length)
        return start, end


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in {"W", "F"}
