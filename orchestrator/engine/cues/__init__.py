"""What words tell about turn-taking, per language, as data: ``en.toml``, ``de.toml`` … beside this file."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
FALLBACK_LANGUAGE = "en"


@functools.lru_cache(maxsize=1024)
def words_of(text: str) -> tuple[str, ...]:
    """The words of a text, lower case, without punctuation: what two transcripts are compared by."""
    return tuple(_WORD.findall(text.lower().replace("’", "'")))


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

    def end(self, words: Phrase) -> bool:
        """Whether the words end in one of the phrases."""
        return any(words[-length:] in self.phrases for length in range(1, min(self.longest, len(words)) + 1))


@dataclass(frozen=True, slots=True)
class Cues:
    """The cues of one language."""

    incomplete: Phrases
    backchannels: Phrases
    interruptions: Phrases

    def looks_unfinished(self, text: str) -> bool:
        """Whether the text ends as if more were to come: in a conjunction, article, preposition, or on a comma."""
        return text.rstrip().endswith((",", "…", "...", "-")) or self.incomplete.end(words_of(text))

    def is_backchannel(self, text: str) -> bool:
        """Whether the text, which may be empty, consists of signs of listening and nothing else."""
        words = words_of(text)
        position = 0
        while position < len(words):
            length = self.backchannels.at(words, position)
            if length == 0:
                return False
            position += length
        return True

    def interrupts(self, text: str) -> bool:
        """Whether the text begins with a phrase that takes the floor."""
        return self.interruptions.at(words_of(text), 0) > 0


@functools.cache
def load_cues(language: str) -> Cues:
    """The cues of a BCP 47 language, by its primary subtag; English where there are none for it."""
    folder = resources.files(__name__)
    primary = language.split("-", maxsplit=1)[0].lower()
    source = folder / f"{primary}.toml"
    if not primary.isalpha() or not source.is_file():
        source = folder / f"{FALLBACK_LANGUAGE}.toml"
    table = tomllib.loads(source.read_text(encoding="utf-8"))

    return Cues(*(Phrases.of(table[key]) for key in ("incomplete", "backchannels", "interruptions")))
