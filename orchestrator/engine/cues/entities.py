"""Things that are dictated rather than said: numbers, addresses, spellings. Pauses inside them are no ends."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from orchestrator.engine.cues.number_words import Numbers
from orchestrator.engine.cues.phrases import Phrases
from orchestrator.engine.cues.words import is_unspaced, words_of

_SENTENCE_END = re.compile(r"(?<=[.!?…。！？।])\s*")
_QUESTION = re.compile(r"[?？؟]\s*$")
_EMAIL = re.compile(r"\S@[\w-]+(?:\.[\w-]+)*\.\w{2,}\W*$")
# The last words of the assistant that count: "What is your number? Take your time."
_SENTENCES = 2
# "And your phone number?" is a question without a verb.
_SHORT_QUESTION_WORDS = 4
_SHORT_QUESTION_CHARACTERS = 12


class Entity(Enum):
    """What the assistant asked for."""

    PHONE = "phone"
    CARD = "card"
    CODE = "code"
    """Postcode, PIN, order or customer number: no length is known."""
    DATE = "date"
    """A date with its year, such as a date of birth."""
    EMAIL = "email"
    SPELLING = "spelling"
    ADDRESS = "address"


# Fewer digits than this are not the whole of it.
_WHOLE = {Entity.PHONE: 7, Entity.CARD: 12, Entity.CODE: 4}
_YEAR_DIGITS = 4
_SPELT_LETTERS = 3


@dataclass(frozen=True, slots=True)
class EntityCues:
    """How one language asks for entities, and what it reads signs of e-mail addresses as."""

    asking: tuple[str, ...]
    names: tuple[tuple[Entity, tuple[str, ...]], ...]
    at: Phrases
    dot: Phrases

    @classmethod
    def of(cls, table: Mapping[str, Sequence[str]], at: Sequence[str], dot: Sequence[str]) -> EntityCues:
        """The cues of a language from its table ``asking`` and one list for each entity."""
        names = tuple((entity, tuple(map(_stem, table[entity.value]))) for entity in Entity)
        return cls(tuple(map(_stem, table["asking"])), names, Phrases.of(at), Phrases.of(dot))

    def asked_in(self, text: str) -> Entity | None:
        """What the last sentences of a text ask for; None when for no entity."""
        sentences = [part for part in _SENTENCE_END.split(text[-400:]) if part.strip()]
        for sentence in reversed(sentences[-_SENTENCES:]):
            words = words_of(sentence)
            joined = f" {' '.join(words)}"
            limit = _SHORT_QUESTION_CHARACTERS if words and is_unspaced(words[0]) else _SHORT_QUESTION_WORDS
            short_question = len(words) <= limit and _QUESTION.search(sentence) is not None
            if not short_question and not any(stem in joined for stem in self.asking):
                continue
            for entity, stems in self.names:
                if any(stem in joined for stem in stems):
                    return entity
        return None

    def is_open(self, text: str, entity: Entity | None, numbers: Numbers) -> bool:
        """Whether the caller's text is only the beginning of an ``entity``; None where it is not known which."""
        words = words_of(text)
        if entity is None:
            run = numbers.run(words)
            return (
                0 < run.digits < _WHOLE[Entity.PHONE]
                or self._is_open_email(text, words, begun=True)
                or 0 < _letters(words) < _SPELT_LETTERS
            )
        if entity is Entity.EMAIL:
            return self._is_open_email(text, words, begun=False)
        if entity is Entity.SPELLING:
            return 0 < _letters(words) < _SPELT_LETTERS
        digits = numbers.count(words)
        if entity is Entity.DATE:
            return 0 < digits < _YEAR_DIGITS
        if entity is Entity.ADDRESS:
            return bool(words) and all(map(numbers.digits_of, words))
        return 0 < digits + (_letters(words) if entity is Entity.CODE else 0) < _WHOLE[entity]

    def _is_open_email(self, text: str, words: tuple[str, ...], *, begun: bool) -> bool:
        if "@" in text:
            return _EMAIL.search(text) is None
        at = self.at.last_in(words)
        if at:
            rest = words[at:]
            return self.dot.last_in(rest) in (0, len(rest))
        # No sign of the address's middle: a name alone is its beginning, a sentence is no address.
        return not begun and (len(words) == 1 or self.dot.last_in(words) > 0)


def _stem(text: str) -> str:
    """A phrase that is found at the beginning of any word: endings differ by case."""
    return f" {' '.join(words_of(text))}"


def _letters(words: tuple[str, ...]) -> int:
    """How many letters, said one by one, the words end in."""
    count = 0
    for word in reversed(words):
        if len(word) != 1 or not word.isalpha() or is_unspaced(word):
            break
        count += 1
    return count
