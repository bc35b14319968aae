"""How much of a number has been dictated."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.engine.cues.words import words_of

_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Run:
    """The number that a text ends in."""

    words: int = 0
    digits: int = 0
    """How many digits it comes to, roughly: "twenty five" counts three."""
    single: bool = False
    """Whether it was said digit by digit."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """The number words of one language."""

    ones: frozenset[str]
    """The digits, and what stands for one ("oh", "double")."""
    larger: frozenset[str]
    links: frozenset[str]
    """Words inside a number that are none: "and"."""
    compound: re.Pattern[str]
    """Matches number words written together: "fünfundzwanzig", "seventy-five"."""

    @classmethod
    def of(cls, ones: Sequence[str], larger: Sequence[str], links: Sequence[str]) -> Numbers:
        """The numbers of a language from its words for 0 to 9, for 10, 20 and so on, and the words between."""

        def single(texts: Sequence[str]) -> frozenset[str]:
            return frozenset(word for text in texts for word in words_of(text))

        one, more, link = single(ones), single(larger), single(links)
        parts = sorted((word for word in one | more | link if len(word) > 1 or word in link), key=len, reverse=True)
        return cls(one, more, link, re.compile("(?:-?(?:" + "|".join(map(re.escape, parts)) + "))+"))

    def digits_of(self, word: str) -> int:
        """How many digits a word comes to; 0 for a word that is no number."""
        if figures := len(_DIGIT.findall(word)):
            return figures
        if word in self.ones:
            return 1
        if word in self.larger or (word not in self.links and self.compound.fullmatch(word)):
            return 2
        return 0

    def count(self, words: Sequence[str]) -> int:
        """How many digits the words come to altogether."""
        return sum(map(self.digits_of, words))

    def run(self, words: tuple[str, ...]) -> Run:
        """The number that the words end in."""
        length = digits = 0
        single = True
        for back, word in enumerate(reversed(words), start=1):
            if worth := self.digits_of(word):
                length, digits = back, digits + worth
                single = single and worth == 1
            elif not length or word not in self.links:
                break
        return Run(length, digits, single and length > 0)
