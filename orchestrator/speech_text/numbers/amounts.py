"""Money, measures, per cent and ranges: numbers with what they count."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final, NamedTuple

from orchestrator.speech_text.numbers.conventions import Conventions
from orchestrator.speech_text.numbers.figures import Figure, Figures
from orchestrator.speech_text.numbers.names import CODES, SIGNS, UNITS, Names
from orchestrator.speech_text.numbers.passage import Passage, Reading
from orchestrator.speech_text.numbers.spelling import Spelling


def _any_of(words: set[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_SIGN: Final = re.compile(_any_of(set(SIGNS)))
_BLANK: Final = "[ \u00a0\u202f]?"
_MONEY_BEHIND: Final = re.compile(rf"{_BLANK}({_any_of({*SIGNS, *CODES})})(?![^\W_])")
_IMPERIAL: Final = frozenset({"ft", "mi", "lb", "lbs", "oz", "mph"})
_DASH: Final = re.compile(r"–|—|-| – ")
_LETTERS: Final = {"k": 1_000, "K": 1_000, "M": 1_000_000, "m": 1_000_000, "bn": 10**9, "B": 10**9}
_LETTER: Final = re.compile(r"(bn|[kKmMB])(?![^\W_])")
_LONGEST_RANGE_END: Final = 4
_TENTHS: Final = 2


class _Count(NamedTuple):
    """One number, or the two ends of a range."""

    end: int
    figures: tuple[Figure, ...]


class Amounts:
    """Recognises amounts and says them."""

    def __init__(self, conventions: Conventions, spelling: Spelling, names: Names, figures: Figures) -> None:
        self._conventions = conventions
        self._spelling = spelling
        self._names = names
        self._figures = figures
        units = {unit for unit in UNITS if conventions.language == "en" or unit not in _IMPERIAL}
        self._unit_behind = re.compile(rf"{_BLANK}({_any_of(units)})(?![^\W_])(?!['’][^\W_])")
        # "%" joins letters and digits no less.
        words = _any_of(set(conventions.magnitudes))
        self._magnitude = re.compile(rf"[ \u00a0]({words})(?![^\W_])") if words else None

    def read(self, passage: Passage) -> Reading | None:
        """Read the amount at the beginning."""
        text = passage.text
        if sign := _SIGN.match(text):
            return self._money_before(passage, sign)
        if text[0] == "%":
            return self._percent_before(passage)
        count = self._count(text, 0, _SIGN.match(""))
        if count is None:
            return None
        if reading := self._money_behind(passage, count):
            return reading
        unit = self._unit_behind.match(text, count.end)
        if unit and passage.clean(unit.end()) and passage.behind(unit.end())[:1] != "/":
            return self._measure(unit.end(), count, UNITS[unit[1]])
        if len(count.figures) == 2 and passage.clean(count.end):
            said = self._range(count, "")
            return (count.end, said) if said else None
        return None

    def _count(self, text: str, start: int, again: re.Match[str] | None) -> _Count | None:
        """A number, or a range; `again` is the currency's sign that may be repeated before its end."""
        first = self._figures.at(text, start)
        if first is None:
            return None
        dash = _DASH.match(text, first.end)
        if dash is None:
            return _Count(first.end, (first,))
        at = dash.end()
        if again and text.startswith(again[0], at):
            at += len(again[0])
        last = self._figures.at(text, at)
        if last is None:
            return _Count(first.end, (first,))
        # A hyphen may also stand in a score, a code or a telephone number.
        numbers = first.grouped_or_round and last.grouped_or_round
        rising = first.value < last.value and len(last.whole) <= max(_LONGEST_RANGE_END, len(first.whole))
        return _Count(last.end, (first, last)) if numbers and (dash[0] != "-" or rising) else None

    def _range(self, count: _Count, noun: str) -> str | None:
        said = [self._figures.said(figure, noun) for figure in count.figures]
        if len(said) == 2 and all(_is_year(figure) for figure in count.figures) and not noun:
            said = [self._spelling.year(int(figure.whole)) for figure in count.figures]
        if None in said or (len(said) == 2 and not self._conventions.to):
            return None
        blank = " " if self._spelling.words or self._conventions.language == "hi" else ""
        return f"{blank}{self._conventions.to}{blank}".join(part for part in said if part)

    def _measure(self, end: int, count: _Count, unit: str) -> Reading | None:
        around, one = self._names.unit(count.figures[-1].value, unit), self._names.unit(Decimal(1), unit)
        if around is None or one is None:
            return None
        said = self._range(count, one[1])
        if not said:
            return None
        behind = around[1]
        if behind.startswith(" ") and not unit.startswith(("concentr", "temperature")):
            behind = (self._before_noun(said, behind[1:]) or " ") + behind[1:]
        return end, f"{around[0]}{said}{behind}"

    def _percent_before(self, passage: Passage) -> Reading | None:
        """Turkish writes it before the number."""
        count = self._count(passage.text, 1, None)
        if count is None or self._conventions.language != "tr" or not passage.clean(count.end):
            return None
        return self._measure(count.end, count, UNITS["%"])

    def _money_before(self, passage: Passage, sign: re.Match[str]) -> Reading | None:
        text = passage.text
        start = sign.end() + (text[sign.end() : sign.end() + 1] in {" ", "\u00a0"})
        if text[start : start + 1] in {"-", "−"}:
            below = self._money_before(passage._replace(text=text[:start] + text[start + 1 :]), sign)
            return (
                (below[0] + 1, f"{self._conventions.minus} {below[1]}") if below and self._conventions.minus else None
            )
        count = self._count(text, start, sign)
        if count is None:
            return None
        code = self._code(sign[0])
        if self._magnitude and (magnitude := self._magnitude.match(text, count.end)):
            if not passage.clean(magnitude.end()):
                return None
            return self._of_magnitude(magnitude.end(), count, magnitude[1], code)
        if self._conventions.language == "en" and (letter := _LETTER.match(text, count.end)):
            word = self._spelling.cardinal(_LETTERS[letter[1]]).removeprefix("one ")
            return self._of_magnitude(letter.end(), count, word, code)
        if not passage.clean(count.end):
            return None
        said = self._money(count, code, formal=False)
        return (count.end, said) if said else None

    def _money_behind(self, passage: Passage, count: _Count) -> Reading | None:
        text = passage.text
        magnitude = self._magnitude.match(text, count.end) if self._magnitude else None
        found = _MONEY_BEHIND.match(text, magnitude.end() if magnitude else count.end)
        if found is None or not passage.clean(found.end()):
            return None
        code, formal = self._code(found[1]), found[1] in CODES
        if magnitude:
            return self._of_magnitude(found.end(), count, magnitude[1], code)
        said = self._money(count, code, formal=formal)
        return (found.end(), said) if said else None

    def _code(self, sign: str) -> str:
        if sign in {"¥", "￥"} and self._conventions.language == "zh":
            return "CNY"
        return SIGNS.get(sign, sign)

    def _of_magnitude(self, end: int, count: _Count, magnitude: str, code: str) -> Reading | None:
        said = self._range(count, "" if self._conventions.language == "en" else magnitude)
        if not said:
            return None
        noun = self._names.currency(Decimal(1_000_000), code, formal=False)
        between = self._conventions.magnitudes.get(magnitude, " ")
        if len(between) > 4:  # It stands for an abbreviation.
            return end, f"{said}{between}{noun}"
        between = self._before_noun(magnitude, noun) or " "
        return end, f"{said} {magnitude}{between}{noun}"

    def _money(self, count: _Count, code: str, *, formal: bool) -> str | None:
        figure = count.figures[-1]
        blank = " " if self._spelling.words or self._conventions.language == "hi" else ""
        noun = self._names.currency(figure.value, code, formal=formal)
        if len(count.figures) == 1 and len(figure.places) == _TENTHS and self._spelling.words:
            return self._with_hundredths(figure, code, formal=formal)
        said = self._range(count, self._names.currency(Decimal(1), code, formal=formal))
        return f"{said}{self._before_noun(said, noun) or blank}{noun}" if said else None

    def _before_noun(self, said: str, noun: str) -> str:
        """What stands between a number and its noun when the number ends in a word of millions: " de "."""
        between = self._conventions.magnitudes.get(said.rsplit(" ", 1)[-1], "")
        return " de " if between == " d'" and noun[0] not in "aeiouyé" else between

    def _with_hundredths(self, figure: Figure, code: str, *, formal: bool) -> str | None:
        hundredths = int(figure.places)
        noun = self._names.currency(Decimal(figure.whole), code, formal=formal)
        small = self._names.hundredths(hundredths, code)
        one = self._names.currency(Decimal(1), code, formal=formal)
        major = self._figures.said(figure._replace(places="", mark=""), one)
        if major is None:
            return None
        if not hundredths:
            return f"{major}{self._before_noun(major, noun) or ' '}{noun}"
        if not small:
            said = self._figures.said(figure)
            return f"{said} {self._names.currency(figure.value, code, formal=formal)}" if said else None
        # All names of hundredths are masculine or neuter.
        counted = f"{self._spelling.counted(hundredths, '')} {small}"
        if not int(figure.whole):
            return counted
        if self._conventions.language in {"en", "pl", "tr"}:
            return f"{major} {noun}{self._conventions.hundredths}{counted}"
        return f"{major} {noun}{self._conventions.hundredths}{self._spelling.cardinal(hundredths)}"


def _is_year(figure: Figure) -> bool:
    return not figure.places and len(figure.whole) == 4 and 1100 <= int(figure.whole) < 2100
