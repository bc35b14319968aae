"""A recogniser that knows the truth: what has been said up to a moment, punctuated as Whisper would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from toolbox.bench.turn_taking.corpus import Word, written

# An echo under the caller's own words is not understood.
_MASKED_MS = 150.0


def _middle(word: Word) -> float:
    """A recogniser that hears most of a word guesses the rest; of one that it hears less than half of it says nothing.

    So a word that lies across the border of two stretches is heard in exactly one of them.
    """
    return (word.start_ms + word.end_ms) / 2


@dataclass
class SpokenWords:
    """All words that sound on the caller's line, in call time."""

    caller: list[Word] = field(default_factory=list)
    echo: Callable[[float, float], list[Word]] = lambda from_ms, to_ms: []

    def add(self, words: tuple[Word, ...], begins_ms: float) -> None:
        """The caller begins to say these, their own times counting from ``begins_ms``."""
        self.caller += [
            Word(word.text, word.start_ms + begins_ms, word.end_ms + begins_ms, word.closing) for word in words
        ]

    def text(self, from_ms: float, to_ms: float) -> str:
        """What is understood of a stretch of the line."""
        mine = [word for word in self.caller if from_ms < _middle(word) <= to_ms]
        back = [
            word
            for word in self.echo(from_ms, to_ms)
            if not any(
                own.start_ms - _MASKED_MS < word.end_ms and word.start_ms < own.end_ms + _MASKED_MS
                for own in self.caller
            )
        ]
        return written(sorted((*mine, *back), key=lambda word: word.start_ms))
