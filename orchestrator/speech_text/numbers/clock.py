"""Times of day."""

from __future__ import annotations

import re
from typing import Final

from orchestrator.speech_text.numbers.conventions import Conventions
from orchestrator.speech_text.numbers.passage import Passage, Reading
from orchestrator.speech_text.numbers.spelling import Spelling

_COLON: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_FRENCH: Final = re.compile(r"(\d{1,2})[ \u00a0\u202f]?h(?:[ \u00a0\u202f]?(\d{2}))?(?![^\W_])()")
_STOP: Final = re.compile(r"(\d{1,2})\.(\d{2})()(?=[ \u00a0](?:Uhr|uur))")
_HOUR: Final = re.compile(r"(\d{1,2})()()(?=[ \u00a0](?:Uhr|uur)\b)")
_TO: Final = re.compile(r"[ \u00a0]?[-–][ \u00a0]?")
_HALF_DAY: Final = re.compile(r"[ \u00a0]?[aApP]\.?[mM]\b")
_POLISH_OBLIQUE: Final = frozenset({"o", "od", "do", "po", "około"})


class Clock:
    """Recognises times of day and says them."""

    def __init__(self, conventions: Conventions, spelling: Spelling) -> None:
        self._conventions = conventions
        self._spelling = spelling
        self._patterns = [_COLON]
        if conventions.language in {"fr", "pt"}:
            self._patterns.append(_FRENCH)
        if conventions.language in {"de", "nl"}:
            self._patterns += [_STOP, _HOUR]
        word = conventions.time_word
        self._word = re.compile(rf"[ \u00a0]{word}\b") if word else None

    def read(self, passage: Passage) -> Reading | None:
        """Read the time, or the two ends of a time, at the beginning."""
        begun = self._time(passage, 0)
        if begun is None:
            return None
        between = _TO.match(passage.text, begun[0])
        if between and self._conventions.to and (ended := self._time(passage, between.end())):
            return (ended[0], f"{begun[1]} {self._conventions.to} {ended[1]}") if passage.clean(ended[0]) else None
        return begun if passage.clean(begun[0]) or _HALF_DAY.match(passage.text, begun[0]) else None

    def _time(self, passage: Passage, start: int) -> Reading | None:
        found = next((match for pattern in self._patterns if (match := pattern.match(passage.text, start))), None)
        if found is None:
            return None
        hour, minute, second = int(found[1]), int(found[2] or 0), found[3]
        if hour > 24 or minute > 59 or int(second or 0) > 59:
            return None
        end = found.end()
        if self._word and (word := self._word.match(passage.text, end)):
            end = word.end()
        said = self._said(hour, minute, passage, end)
        if second:
            said = f"{said} {self._two_digits(int(second))}"
        return end, said

    def _said(self, hour: int, minute: int, passage: Passage, end: int) -> str:
        conventions = self._conventions
        if conventions.language == "en" and not minute:
            if _HALF_DAY.match(passage.text, end):
                return self._spelling.cardinal(hour)
            if not 1 <= hour <= 12:
                return f"{self._spelling.cardinal(hour)} hundred"
        hours = self._hour(hour, passage.word)
        template = conventions.time if minute else conventions.o_clock or "{hour}"
        if conventions.language == "fr" and hour < 2:
            template = template.replace("heures", "heure")
        return template.format(hour=hours, minute=self._minute(minute))

    def _hour(self, hour: int, word: str) -> str:
        language = self._conventions.language
        if language == "pl" and hour:
            return _polish_hour(self._spelling.ordinal(hour), oblique=word.lower() in _POLISH_OBLIQUE)
        noun = {"fr": "heure", "es": "hora", "pt": "hora", "it": "ora", "de": "Uhr"}.get(language)
        return self._spelling.counted(hour, noun) if noun else self._spelling.cardinal(hour)

    def _minute(self, minute: int) -> str:
        if not self._spelling.words:
            return str(minute)
        if minute < 10 and self._conventions.language in {"en", "es", "pl", "tr"}:
            return self._two_digits(minute)
        if self._conventions.language == "fr":
            return self._spelling.counted(minute, "minute")
        return self._spelling.cardinal(minute)

    def _two_digits(self, value: int) -> str:
        if value >= 10 or not self._spelling.words:
            return self._spelling.cardinal(value)
        nothing = "oh" if self._conventions.language == "en" else self._spelling.cardinal(0)
        return f"{nothing} {self._spelling.cardinal(value)}"


def _polish_hour(ordinal: str, *, oblique: bool) -> str:
    """The feminine ordinal that tells an hour: "czternasta", and "o czternastej"."""
    ending = "ej" if oblique else "a"
    said = re.sub(r"drugi\b", "drugiej" if oblique else "druga", ordinal)
    said = re.sub(r"trzeci\b", "trzeciej" if oblique else "trzecia", said)
    return re.sub(r"y\b", ending, said)
