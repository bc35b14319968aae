"""Sets of phrases, looked up by word."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.engine.cues.words import words_of

Phrase = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Phrases:
    """A set of phrases, asked by length, so that a look-up costs as much as the longest phrase has words."""

    phrases: frozenset[Phrase]
    longest: int

    @classmethod
    def of(cls, texts: Iterable[str]) -> Phrases:
        """The phrases of some texts."""
        phrases = frozenset(words for text in texts if (words := words_of(text)))
        return cls(phrases, max(map(len, phrases), default=0))

    def at(self, words: Phrase, position: int) -> int:
        """Length of the longest phrase that begins at a position; 0 for none."""
        for length in range(min(self.longest, len(words) - position), 0, -1):
            if words[position : position + length] in self.phrases:
                return length
        return 0

    def end(self, words: Phrase) -> int:
        """Length of the longest phrase that the words end in; 0 for none."""
        for length in range(min(self.longest, len(words)), 0, -1):
            if words[-length:] in self.phrases:
                return length
        return 0

    def last_in(self, words: Phrase) -> int:
        """Where the last occurrence of any phrase ends; 0 when there is none."""
        for end in range(len(words), 0, -1):
            if self.end(words[:end]):
                return end
        return 0
