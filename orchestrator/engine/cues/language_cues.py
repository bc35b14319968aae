"""What the words of one language tell about turn-taking."""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass
from importlib import resources

from orchestrator.engine.cues.entities import Entity, EntityCues
from orchestrator.engine.cues.number_words import Numbers
from orchestrator.engine.cues.phrases import Phrases
from orchestrator.engine.cues.words import words_of

FALLBACK_LANGUAGE = "en"

# Marks of a recogniser that heard the voice stay up, or the speech break off.
_OPEN_MARKS = (",", "…", "...", "-", "–", "—", ":", "、", "，", "：", "،")
_QUESTION_MARKS = ("?", "？", "؟")
_CLOSING = " \t\n\"'”’»)」』"
_CLAUSE = re.compile(r"[,.!?;:…、。，！？；：।]+")
_DRAWN_OUT = re.compile(r"([^\W\d_])\1{2,}")
# Said digit by digit, or after "my number is", fewer than this sound like the beginning of a number.
_DICTATED_DIGITS = 7
# So many words before a number may say what it is of: "the number on the back is 82".
_NUMBERED_WITHIN = 6


@dataclass(frozen=True, slots=True)
class Cues:
    """The cues of one language."""

    incomplete: Phrases
    """What nobody ends in: conjunctions, articles, fillers."""
    stranded: Phrases
    """What ends a question, but no statement: "what is it for?"."""
    complete: Phrases
    """Longer phrases that end a sentence although their last word is among the above: "I think so"."""
    backchannels: Phrases
    interruptions: Phrases
    interruptions_alone: Phrases
    """What takes the floor only when it is the whole of its clause."""
    elisions: tuple[str, ...]
    """Words that are written onto the next one: "l'"."""
    dictation: Phrases
    """What a dictated number follows: "my number is"."""
    numbered: Phrases
    """What has a number that nobody knows by heart: "order", "the code on the letter"."""
    numbers: Numbers
    entities: EntityCues

    def looks_unfinished(self, text: str) -> bool:
        """Whether the text ends as if more were to come.

        In a conjunction, an article, a preposition, a filler, a comma or a dash, or in a number that was begun
        ("my number is five five"). A number alone ("seven") is an answer; see `is_open_entity` for dictation.
        """
        stripped = text.rstrip()
        if stripped.endswith(_OPEN_MARKS):
            return True
        words = words_of(stripped)
        if not words:
            return False
        if self.elisions and stripped.replace("’", "'").casefold().rsplit(maxsplit=1)[-1] in self.elisions:
            return True
        found = self.incomplete.end(words)
        if not stripped.rstrip(_CLOSING).endswith(_QUESTION_MARKS):
            found = max(found, self.stranded.end(words))
        if not found and self._number_begun(words):
            found = 1
        return found > 0 and max(self.complete.end(words), self.interruptions.end(words)) <= found

    def is_backchannel(self, text: str) -> bool:
        """Whether the text, which may be empty, consists of signs of listening and nothing else."""
        words, heard = self._listening(text)
        return heard == len(words)

    def begins_backchannel(self, text: str) -> bool:
        """Whether the text may become nothing but signs of listening when another word follows: "of", course."""
        words, heard = self._listening(text)
        rest = words[heard:]
        return any(len(phrase) > len(rest) > 0 and phrase[: len(rest)] == rest for phrase in self.backchannels.phrases)

    def _listening(self, text: str) -> tuple[tuple[str, ...], int]:
        """The words of a text, and how many at its beginning are signs of listening."""
        words = words_of(_DRAWN_OUT.sub(r"\1\1", text))
        position = 0
        while position < len(words) and (length := self.backchannels.at(words, position)):
            position += length
        return words, position

    def interrupts(self, text: str) -> bool:
        """Whether the text begins, but for signs of listening, with a phrase that takes the floor.

        The longer phrase wins: "no" takes the floor, "no problem" does not.
        """
        words = words_of(text)
        position = 0
        while position < len(words):
            listening = self.backchannels.at(words, position)
            if self.interruptions.at(words, position) > listening:
                return True
            if not listening:
                break
            position += listening
        if not self.interruptions_alone.longest:
            return False
        for clause in _CLAUSE.split(text):
            if clause and not self.is_backchannel(clause):
                return words_of(clause) in self.interruptions_alone.phrases
        return False

    def entity_asked(self, text: str) -> Entity | None:
        """What the assistant's last words ask the caller to dictate; None when nothing."""
        return self.entities.asked_in(text)

    def asks_for_entity(self, text: str) -> bool:
        """Whether the assistant's last words ask for something that is dictated: a number, an address, a spelling."""
        return self.entity_asked(text) is not None

    def is_open_entity(self, text: str, entity: Entity | None = None) -> bool:
        """Whether the caller's text looks like the beginning of what was asked for.

        Only for an answer to a question for an entity: "seven" is the beginning of a number there. Errs towards
        False: a caller who says something else altogether is not dictating.
        """
        words = words_of(text)
        if self.complete.end(words) > self.numbers.run(words).words:
            return False  # "I don't have one"
        return self.looks_unfinished(text) or self.entities.is_open(text, entity, self.numbers)

    def is_dictating(self, text: str) -> bool:
        """Whether the text ends in a number that is being dictated, asked for or not, and however long it is by now.

        After "my number is" or "order 82", digit by digit, in groups of figures, or seven digits and more: there may
        always be another group to come.
        """
        words = words_of(text)
        run = self.numbers.run(words)
        before = words[: -run.words] if run.words else words
        return (
            self.dictation.end(before) > 0
            or (run.digits > 1 and self.numbered.last_in(before[-_NUMBERED_WITHIN:]) > 0)
            or (run.words > 1 and all(len(word) > 1 and word.isdecimal() for word in words[-2:]))
            or run.digits >= _DICTATED_DIGITS
            or (run.single and run.words > 1 and self.complete.end(words) < run.words)
        )

    def _number_begun(self, words: tuple[str, ...]) -> bool:
        run = self.numbers.run(words)
        if not 0 < run.digits < _DICTATED_DIGITS or self.complete.end(words) >= run.words:
            return False
        return (run.single and run.words > 1) or self.dictation.end(words[: -run.words]) > 0


@functools.cache
def load_cues(language: str) -> Cues:
    """The cues of a BCP 47 language, by its primary subtag; English where there are none for it."""
    folder = resources.files(__package__)
    primary = language.replace("_", "-").split("-", maxsplit=1)[0].lower()
    source = folder / f"{primary}.toml"
    if primary != FALLBACK_LANGUAGE and (not primary.isalpha() or not source.is_file()):
        return load_cues(FALLBACK_LANGUAGE)
    table = tomllib.loads(source.read_text(encoding="utf-8"))
    numbers = table["numbers"]

    return Cues(
        incomplete=Phrases.of(table["incomplete"]),
        stranded=Phrases.of(table["stranded"]),
        complete=Phrases.of(table["complete"]),
        backchannels=Phrases.of(table["backchannels"]),
        interruptions=Phrases.of(table["interruptions"]),
        interruptions_alone=Phrases.of(table["interruptions_alone"]),
        elisions=tuple(text.casefold() for text in table["elisions"]),
        dictation=Phrases.of(table["dictation"]),
        numbered=Phrases.of(table["numbered"]),
        numbers=Numbers.of(numbers["ones"], numbers["larger"], numbers["links"]),
        entities=EntityCues.of(table["entities"], table["email"]["at"], table["email"]["dot"]),
    )
