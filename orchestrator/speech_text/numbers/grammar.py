"""Which kind of number something is: the order in which the recognisers are asked."""

from __future__ import annotations

import re
from typing import Final

from orchestrator.speech_text.numbers.amounts import Amounts
from orchestrator.speech_text.numbers.clock import Clock
from orchestrator.speech_text.numbers.codes import Codes
from orchestrator.speech_text.numbers.conventions import Conventions
from orchestrator.speech_text.numbers.dates import Dates, german_ending
from orchestrator.speech_text.numbers.figures import Figure, Figures
from orchestrator.speech_text.numbers.names import Names
from orchestrator.speech_text.numbers.passage import Passage, Reading
from orchestrator.speech_text.numbers.spelling import LONGEST, Spelling
from orchestrator.speech_text.numbers.window import BLANKS

_FRACTION: Final = re.compile(r"(?:(\d{1,3})[ \u00a0])?([123])/([234])(?!\d)")
_FRACTION_SIGN: Final = re.compile(r"(\d{1,3})?[ \u00a0]?([½⅓⅔¼¾])")
_FRACTIONS: Final = {"1/2": 0, "½": 0, "1/3": 1, "⅓": 1, "2/3": 2, "⅔": 2, "1/4": 3, "¼": 3, "3/4": 4, "¾": 4}
_RATIO: Final = re.compile(r"(\d{2})/(\d{1,2})")
_ORDINALS: Final = {
    "en": re.compile(r"(\d{1,3}(?:,\d{3})*|\d+)(?:st|nd|rd|th)()(?![^\W_])"),
    "fr": re.compile(r"(\d{1,6})(?:er|(re|ère|nde)|e|ème|me|nd)(?![^\W_])"),
    "nl": re.compile(r"(\d{1,6})(?:e|de|ste)()(?![^\W_])"),
    "es": re.compile(r"(\d{1,2})(?:º|(ª)|er)(?![^\W_])"),
    "it": re.compile(r"(\d{1,3})(?:º|(ª))(?![^\W_])"),
    "pt": re.compile(r"(\d{1,3})(?:º|(ª))(?![^\W_])"),
}
_DECADE: Final = re.compile(r"'?(\d0|(?:1[1-9]|20)\d0)s(?![^\W_])")
_PLAIN: Final = re.compile(r"\d+")
_ENDING: Final = re.compile(r"['’]([^\W\d_]+)")
_LETTERS: Final = re.compile(r"[A-Za-zÀ-ɏ]{1,4}(?![^\W_])")
_GERMAN_ENDINGS: Final = frozenset({"er", "ern", "mal", "fach"})
# A number of so many digits before a full stop may be an ordinal in German and its like: see `sentences`.
_ORDINAL_DIGITS: Final = 2
_ARTICLES: Final = "die das am im vom zum zur beim dem den des einem einen eines jedem jeden jedes"
_GERMAN_ARTICLES: Final = frozenset(_ARTICLES.split())


class Grammar:
    """Says what it recognises at the beginning of a window."""

    def __init__(self, conventions: Conventions, spelling: Spelling, names: Names) -> None:
        self.spelling = spelling
        self._conventions = conventions
        self._figures = Figures(conventions, spelling, names)
        self._dates = Dates(conventions, spelling, names)
        self._clock = Clock(conventions, spelling)
        self._codes = Codes(conventions, spelling)
        self._amounts = Amounts(conventions, spelling, names, self._figures)

    def read(self, text: str, after: str, word: str, before: str) -> Reading | None:
        """So many code points of `text`, and how they are said; None for what is better left to the voice."""
        passage = Passage(text, after, word, before)
        # A date before a code: either may be digits with marks between them.
        reading = None if text[0] == "-" else self._dates.read(passage) or self._codes.read(passage)
        if reading is None and text[0] in "+-−":
            reading = self._signed(passage)
        elif reading is None:
            reading = self._unsigned(passage)
        if not reading or not reading[1]:
            return None
        # Turkish joins endings to numbers by an apostrophe; they fit the number as it is said.
        ending = _ENDING.match(text, reading[0]) if self._conventions.language == "tr" else None
        return (ending.end(), reading[1] + ending[1]) if ending else reading

    def _signed(self, passage: Passage) -> Reading | None:
        sign = self._conventions.plus if passage.text[0] == "+" else self._conventions.minus
        if not sign or passage.before in {")", "%", "°"} or len(passage.text) < 2:
            return None
        rest = passage._replace(text=passage.text[1:], word="")
        reading = self._amounts.read(rest) or self._cardinal(rest)
        blank = " " if self.spelling.words or self._conventions.language == "hi" else ""
        return (reading[0] + 1, f"{sign}{blank}{reading[1]}") if reading else None

    def _unsigned(self, passage: Passage) -> Reading | None:
        return (
            self._clock.read(passage)
            or self._amounts.read(passage)
            or self._fraction(passage)
            or self._ordinal(passage)
            or self._codes.long(passage)
            or self._dates.year(passage)
            or self._cardinal(passage)
            or self._codes.version(passage)
        )

    def _fraction(self, passage: Passage) -> Reading | None:
        found = _FRACTION.match(passage.text)
        fraction = f"{found[2]}/{found[3]}" if found else ""
        if found is None and (found := _FRACTION_SIGN.match(passage.text)):
            fraction = found[2]
        if found is None or not passage.clean(found.end()):
            return self._ratio(passage)
        index = _FRACTIONS.get(fraction)
        if index is None or not self.spelling.words:
            return None
        if not found[1]:
            return found.end(), self._conventions.fractions[index]
        if int(found[1]) == 0 or not self._conventions.mixed[index]:
            return None
        return found.end(), f"{self.spelling.cardinal(int(found[1]))} {self._conventions.mixed[index]}"

    def _ratio(self, passage: Passage) -> Reading | None:
        """ "24/7" and "50/50"."""
        found = _RATIO.match(passage.text) if self._conventions.language == "en" else None
        if found is None or not passage.clean(found.end()) or int(found[1]) < int(found[2]):
            return None
        return found.end(), f"{self.spelling.cardinal(int(found[1]))} {self.spelling.cardinal(int(found[2]))}"

    def _ordinal(self, passage: Passage) -> Reading | None:
        language, text = self._conventions.language, passage.text
        if language == "en" and (found := _DECADE.match(text)):
            said = self.spelling.year(int(found[1])) if len(found[1]) == 4 else self.spelling.cardinal(int(found[1]))
            return found.end(), f"{said[:-1]}ies" if said.endswith("y") else f"{said}s"
        if language in _ORDINALS and (found := _ORDINALS[language].match(text)):
            number = int(found[1].replace(",", ""))
            if len(str(number)) > 6:
                return None
            return found.end(), self._ranked(number, is_feminine=bool(found[2]), short=found[0].endswith("er"))
        return self._stopped(passage)

    def _ranked(self, number: int, *, is_feminine: bool, short: bool) -> str:
        said = self.spelling.ordinal(number)
        language = self._conventions.language
        if language == "fr" and is_feminine:
            return {1: "première", 2: "seconde"}.get(number, said)
        if language == "es" and short:
            return said.removesuffix("o")
        if is_feminine and language in {"es", "it", "pt"}:
            return re.sub(r"o\b", "a", said)
        return said

    def _stopped(self, passage: Passage) -> Reading | None:
        """ "3." before a word, where that may be "third"."""
        found = _PLAIN.match(passage.text)
        if not self._conventions.ordinal_stop or found is None or len(found[0]) > _ORDINAL_DIGITS:
            return None
        behind = passage.behind(found.end())
        if len(behind) < 3 or behind[0] != "." or behind[1] not in BLANKS or not behind[2].isalpha():
            return None
        language, word = self._conventions.language, passage.word.lower()
        if language == "de" and word in _GERMAN_ARTICLES and int(found[0]):
            return found.end() + 1, self.spelling.ordinal(int(found[0])) + german_ending(word)
        if language == "tr" and behind[2].islower() and int(found[0]):
            return found.end() + 1, self.spelling.ordinal(int(found[0]))
        return None

    def _cardinal(self, passage: Passage) -> Reading | None:
        text = passage.text
        figure = self._figures.at(text)
        if figure is None or not self.spelling.words or len(figure.whole) > LONGEST:
            return None
        end = figure.end
        if (letters := _LETTERS.match(text, end)) and not figure.places:
            return self._lettered(passage, figure, letters)
        if not passage.clean(end):
            return None
        if not figure.places and self._unsure(passage, figure.end, int(figure.whole)):
            return None
        said = self._figures.said(figure)
        return (end, said) if said else None

    def _lettered(self, passage: Passage, figure: Figure, letters: re.Match[str]) -> Reading | None:
        """A number with letters behind it: "3D", "10x", "3pm", and "80er" in German."""
        said = self._figures.said(figure) if passage.clean(letters.end()) else None
        if said is None or self.spelling.unsure_before_a_word(int(figure.whole)):
            return None
        language = self._conventions.language
        if language == "de" and letters[0] in _GERMAN_ENDINGS:
            return letters.end(), said + letters[0]
        # Elsewhere small letters may be an ending that changes the number.
        return (figure.end, said) if language == "en" or letters[0].isupper() or letters[0] == "x" else None

    def _unsure(self, passage: Passage, end: int, number: int) -> bool:
        """Whether what follows decides the number's form, and is not known here."""
        if passage.before_a_word(end):
            return self.spelling.unsure_before_a_word(number)
        behind = passage.behind(end)
        maybe_ordinal = self._conventions.ordinal_stop and number < 10**_ORDINAL_DIGITS and behind[:1] == "."
        return maybe_ordinal and len(behind) > 2 and behind[1] in BLANKS and behind[2].isalpha()
