"""Numbers in figures, with the separators that a language writes."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final, NamedTuple

from orchestrator.speech_text.numbers.conventions import Conventions
from orchestrator.speech_text.numbers.names import Names
from orchestrator.speech_text.numbers.spelling import LONGEST, Spelling

_SPACES: Final = "\u00a0\u202f"
_INDIAN: Final = re.compile(r"\d{1,2}(?:,\d{2})*,\d{3}(?!\d)")
_PLAIN: Final = re.compile(r"(\d+)(?:([.,])(\d+))?(?!\d)")
_THOUSAND: Final = 3
_SAID_AS_NUMBER: Final = 3


class Figure(NamedTuple):
    """A number as written: its digits before and behind the mark, and where its text ends."""

    end: int
    whole: str
    places: str = ""
    mark: str = ""

    @property
    def value(self) -> Decimal:
        return Decimal(f"{self.whole}.{self.places}" if self.places else self.whole)

    @property
    def grouped_or_round(self) -> bool:
        return not (len(self.whole) > 1 and self.whole[0] == "0")


class Figures:
    """Reads and says numbers in figures."""

    def __init__(self, conventions: Conventions, spelling: Spelling, names: Names) -> None:
        self._conventions = conventions
        self._spelling = spelling
        group, decimal = names.group, names.decimal
        # Where the decimal mark is a comma, a point or a blank between threes can only group them.
        signs = f"[. {_SPACES}’']" if decimal == "," else f"[{re.escape(group)}{_SPACES}’']"
        # One and the same sign stands between all groups: (2) is it.
        self._grouped = re.compile(
            rf"(\d{{1,3}}(?:({signs})\d{{3}})(?:\2\d{{3}})*)(?:([{re.escape(decimal)}])(\d+))?(?!\d)"
        )
        # The other half of the world's: unmistakable only with both signs, or several groups.
        other_group, other_decimal = (",", ".") if decimal == "," else (".", ",")
        self._foreign = re.compile(
            rf"(\d{{1,3}}(?:{re.escape(other_group)}\d{{3}})+)({re.escape(other_decimal)})(\d{{1,2}})(?!\d)"
        )
        self._indian = conventions.locale in {"en_IN", "hi"}

    def at(self, text: str, start: int = 0) -> Figure | None:
        """The number at `start`."""
        if self._indian and (found := _INDIAN.match(text, start)):
            return _figure(found.end(), found[0])
        if found := self._grouped.match(text, start):
            return _figure(found.end(), found[1], found[4] or "", found[3] or "")
        if found := self._foreign.match(text, start):
            return _figure(found.end(), found[1], found[3], found[2])
        found = _PLAIN.match(text, start)
        if found is None or len(found[1]) > LONGEST:
            return None
        return _figure(found.end(), found[1], found[3] or "", found[2] or "")

    def said(self, figure: Figure, noun: str = "") -> str | None:
        """The number in words, in the gender of the noun (in the singular) that it counts; None when it has none."""
        if not self._spelling.words:
            return f"{figure.whole}.{figure.places}" if figure.places else figure.whole
        if len(figure.whole) > 1 and figure.whole[0] == "0":
            return None if figure.places else self._spelling.digits(figure.whole)
        whole = int(figure.whole)
        if not figure.places:
            return self._spelling.counted(whole, noun) if noun else self._spelling.cardinal(whole)
        mark = self._conventions.marks.get(figure.mark)
        if mark is None:
            return None
        return f"{self._spelling.cardinal(whole)} {mark} {self._places(figure.places)}"

    def _places(self, places: str) -> str:
        rest = places.lstrip("0")
        if not rest or not self._conventions.places_as_number or len(places) > _SAID_AS_NUMBER:
            return self._spelling.digits(places)
        noughts = [self._spelling.cardinal(0)] * (len(places) - len(rest))
        return " ".join([*noughts, self._spelling.cardinal(int(rest))])


def _figure(end: int, whole: str, places: str = "", mark: str = "") -> Figure | None:
    digits = "".join(character for character in whole if character.isdigit())
    return Figure(end, digits, places, mark) if len(digits) <= LONGEST else None
