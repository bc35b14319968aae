"""What words tell about turn-taking, per language, as data: ``en.toml``, ``de.toml`` … beside this file."""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass
from importlib import resources

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
FALLBACK_LANGUAGE = "en"


def words_of(text: str) -> tuple[str, ...]:
    """The words of a text, lower case, without punctuation: what two transcripts are compared by."""
    return tuple(_WORD.findall(text.lower().replace("’", "'")))


Phrase = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cues:
    """Phrases of one language; each phrase is a tuple of words as ``words_of`` gives them."""

    incomplete: frozenset[Phrase]
    backchannels: frozenset[Phrase]
    interruptions: frozenset[Phrase]

    def looks_unfinished(self, text: str) -> bool:
        """Whether the text ends as if more were to come: in a conjunction, article, preposition, or on a comma."""
        if text.rstrip().endswith((",", "…", "...", "-")):
            return True
        words = words_of(text)
        return any(words[-len(phrase) :] == phrase for phrase in self.incomplete if len(phrase) <= len(words))

    def is_backchannel(self, text: str) -> bool:
        """Whether the text, which may be empty, consists of signs of listening and nothing else."""
        words = words_of(text)
        at = 0
        while at < len(words):
            length = max((len(p) for p in self.backchannels if words[at : at + len(p)] == p), default=0)
            if length == 0:
                return False
            at += length
        return True

    def interrupts(self, text: str) -> bool:
        """Whether the text begins with a word that takes the floor, hesitations aside."""
        words = words_of(text)
        return any(words[: len(phrase)] == phrase for phrase in self.interruptions)


@functools.cache
def load_cues(language: str) -> Cues:
    """The cues of a BCP 47 language, by its primary subtag; English where there are none for it."""
    folder = resources.files(__name__)
    primary = language.split("-", maxsplit=1)[0].lower()
    source = folder / f"{primary}.toml"
    if not primary.isalpha() or not source.is_file():
        source = folder / f"{FALLBACK_LANGUAGE}.toml"
    table = tomllib.loads(source.read_text(encoding="utf-8"))

    def phrases(key: str) -> frozenset[Phrase]:
        return frozenset(words_of(phrase) for phrase in table[key])

    return Cues(phrases("incomplete"), phrases("backchannels"), phrases("interruptions"))
