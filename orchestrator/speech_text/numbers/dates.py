"""Days, months and years."""

from __future__ import annotations

import re
from typing import Final

from orchestrator.speech_text.numbers.conventions import Conventions
from orchestrator.speech_text.numbers.names import Names
from orchestrator.speech_text.numbers.passage import Passage, Reading
from orchestrator.speech_text.numbers.spelling import Spelling

_ISO: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_DOTTED: Final = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4}|\d{2})")
_DAY_AND_MONTH: Final = re.compile(r"(\d{1,2})\.(\d{1,2})")
_DASHED: Final = re.compile(r"(\d{1,2})-(\d{1,2})-(\d{4})")
_SLASHED: Final = re.compile(r"(\d{1,4})/(\d{1,2})/(\d{4}|\d{2})")
_YEAR: Final = re.compile(r"1[1-9]\d\d|20\d\d")
# English that is written with the day first is said so, wherever it comes from.
_DAY_FIRST: Final = "the {day} of {month} {year}"
_TWO_DIGIT_YEARS_BEFORE: Final = 50
_OBLIQUE: Final = (
    "am im vom zum zur beim dem den des bis ab seit vor nach einem einen eines jedem jeden jedes diesem diesen"
)
_GERMAN_OBLIQUE: Final = frozenset(_OBLIQUE.split())


class Dates:
    """Recognises dates and says them."""

    def __init__(self, conventions: Conventions, spelling: Spelling, names: Names) -> None:
        self._conventions = conventions
        self._spelling = spelling
        self._names = names
        month = "|".join(re.escape(name) for name in sorted(names.month_numbers, key=len, reverse=True)) or r"\b\B"
        of = f"(?:{conventions.of} )?" if conventions.of else ""
        year = rf"(?:,?[ \u00a0]{of}(\d{{4}})(?!\d))?"
        self._day_first = re.compile(rf"(\d{{1,2}})(?:st|nd|rd|th|\.|er|º|°)?[ \u00a0]{of}({month})(?![^\W\d_]){year}")
        self._month_first = re.compile(
            rf"({month})[ \u00a0](?:(\d{{1,2}})(?:st|nd|rd|th)?(?:,?[ \u00a0](\d{{4}})(?!\d))?|(\d{{4}}))(?!\d)"
        )

    def read(self, passage: Passage) -> Reading | None:
        """Read the date at the beginning."""
        text = passage.text
        if found := _ISO.match(text):
            return self._said(passage, found.end(), found[1], found[2], found[3])
        if found := _DOTTED.match(text):
            return self._said(passage, found.end(), found[3], found[2], found[1])
        if found := _DASHED.match(text):
            return self._said(passage, found.end(), found[3], found[2], found[1])
        if found := _SLASHED.match(text):
            return self._slashed(passage, found)
        if found := self._day_first.match(text):
            return self._named(passage, found.end(), found[2], found[1], found[3] or "")
        if self._conventions.language == "en" and (found := self._month_first.match(text)):
            if found[4]:
                month = self._names.months[self._names.month_numbers[found[1]]]
                return (found.end(), f"{month} {self._year(found[4])}") if passage.clean(found.end()) else None
            return self._named(passage, found.end(), found[1], found[2], found[3] or "", day_first=False)
        if self._conventions.language == "de" and (found := _DAY_AND_MONTH.match(text)):
            behind = passage.behind(found.end())
            if behind[:1] == "." and passage.word.lower() in _GERMAN_OBLIQUE | {"der"}:
                inside = behind[2:3].islower()  # Otherwise it may be the sentence's full stop too.
                said = self._said(passage, found.end(), "", found[2], found[1])
                return (said[0] + inside, said[1]) if said else None
        return None

    def _slashed(self, passage: Passage, found: re.Match[str]) -> Reading | None:
        first, second, third = found[1], found[2], found[3]
        if len(first) == 4:
            return self._said(passage, found.end(), first, second, third)
        if len(first) > 2:
            return None
        month_first = self._conventions.order == "mdy"
        if int(first) > 12 or int(second) > 12:  # There is but one way to read it.
            month_first = int(second) > 12
        month, day = (first, second) if month_first else (second, first)
        return self._said(passage, found.end(), third, month, day)

    def _named(
        self, passage: Passage, end: int, name: str, day: str, year: str, *, day_first: bool = True
    ) -> Reading | None:
        if not year and name.endswith(".") and passage.text[end - 1] == "." and not passage.before_a_word(end):
            end -= 1  # The sentence's full stop.
        elif not year and name.endswith(".") and passage.behind(end)[1:2].isupper():
            end -= 1
        reading = self._said(passage, end, year, str(self._names.month_numbers[name]), day, day_first=day_first)
        if reading and year and self._conventions.language == "pl" and passage.behind(end).startswith(" r."):
            # The abbreviation's full stop may be the sentence's too.
            return end + (3 if passage.behind(end + 3)[1:2].islower() else 2), f"{reading[1]} roku"
        return reading

    def _said(
        self, passage: Passage, end: int, year: str, month: str, day: str, *, day_first: bool = False
    ) -> Reading | None:
        if len(year) == 2:
            year = ("20" if int(year) < _TWO_DIGIT_YEARS_BEFORE else "19") + year
        valid = 1 <= int(day) <= 31 and 1 <= int(month) <= 12 and (not year or 1000 <= int(year) <= 2999)
        if not valid or not passage.clean(end):
            return None
        if not self._spelling.words:
            return end, self._in_digits(year, int(month), int(day))
        conventions = self._conventions
        template = conventions.date if year else conventions.short
        if conventions.language == "en" and day_first:
            template = _DAY_FIRST if year else _DAY_FIRST.removesuffix(" {year}")
        if template.startswith("the ") and passage.word.lower() == "the":
            template = template.removeprefix("the ")
        return end, template.format(
            day=self._day(int(day), passage.word),
            month=self._names.months[int(month)],
            year=self._year_of_date(year) if year else "",
        )

    def _in_digits(self, year: str, month: int, day: int) -> str:
        if self._conventions.order == "ymd":
            return f"{year}年{month}月{day}日" if year else f"{month}月{day}日"
        return f"{day} {self._names.months[month]} {year}".rstrip()

    def _day(self, day: int, word: str) -> str:
        style = self._conventions.ordinal_days
        if style == "none" or (style == "first" and day > 1):
            return self._spelling.cardinal(day)
        said = self._spelling.ordinal(day)
        if self._conventions.language == "de":
            return said + german_ending(word)
        return polish_genitive(said) if self._conventions.language == "pl" else said

    def _year_of_date(self, year: str) -> str:
        if self._conventions.language == "pl":
            return polish_genitive(self._spelling.ordinal(int(year)))
        return self._year(year)

    def _year(self, year: str) -> str:
        return self._spelling.year(int(year))

    def year(self, passage: Passage) -> Reading | None:
        """Read a number of four digits as a year where it is one."""
        found = _YEAR.match(passage.text)
        if found is None:
            return None
        end = found.end()
        if self._conventions.language == "pl":
            return self._polish_year(passage, found[0])
        if not passage.clean(end) or self._conventions.language not in {"en", "de", "nl"}:
            return None
        cued = passage.word.lower() in self._conventions.year_cues or passage.word in self._names.month_numbers
        if cued or not passage.before_a_word(end):
            return end, self._year(found[0])
        return None

    def _polish_year(self, passage: Passage, year: str) -> Reading | None:
        found = re.match(r"\d{4}(?= (?:roku|r\.))", passage.text)
        if found is None:
            return None
        said = self._spelling.ordinal(int(year))
        return found.end(), polish_locative(said) if passage.word.lower() == "w" else polish_genitive(said)


def german_ending(word: str) -> str:
    """What an ordinal ("dritte") gets behind a word."""
    word = word.lower()
    if word in _GERMAN_OBLIQUE:
        return "n"
    return "" if word in {"der", "die", "das"} else "r"


def polish_genitive(ordinal: str) -> str:
    """A masculine ordinal's genitive: "dwudziestego czwartego"."""
    return re.sub(r"i\b", "iego", re.sub(r"y\b", "ego", ordinal))


def polish_locative(ordinal: str) -> str:
    """A masculine ordinal's locative: "dwudziestym szóstym"."""
    return re.sub(r"i\b", "im", re.sub(r"y\b", "ym", ordinal))
