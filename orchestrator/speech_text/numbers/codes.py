"""What is written in digits and is no number: telephone numbers, addresses, versions, numbers of cards."""

from __future__ import annotations

import re
from typing import Final

from orchestrator.speech_text.numbers.conventions import Conventions
from orchestrator.speech_text.numbers.passage import Passage, Reading
from orchestrator.speech_text.numbers.spelling import LONGEST, Spelling

_ADDRESS: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_VERSION: Final = re.compile(r"\d{1,4}(?:\.\d{1,4}){2,}")
_SHORT_VERSION: Final = re.compile(r"\d{1,4}(?:\.\d{1,4})*")
_CARD: Final = re.compile(r"\d{4}(?:[ \u00a0-]\d{4}){2,4}")
_ABROAD: Final = re.compile(r"\+\d{1,3}(?:[ \u00a0.-]?\(?\d{1,8}\)?){1,7}")
_BRACKETED: Final = re.compile(r"(?:1[ .-])?\(\d{2,5}\)[ \u00a0]?\d{3,4}[ .-]?\d{3,4}")
_DOMESTIC: Final = re.compile(r"0\d{1,4}(?:[ \u00a0/.-]\d{2,9})+")
_TEN_DIGITS: Final = re.compile(r"(?:1[ .-])?\d{3}([ .-])\d{3}\1\d{4}")
_SEVEN_DIGITS: Final = re.compile(r"\d{3}-\d{4}")
_NINE_DIGITS: Final = re.compile(r"\d{3}([ .-])\d{3}\1\d{3}")
_PLAIN: Final = re.compile(r"\d+")
# A run of more digits than a group is told in groups of three.
_LONGEST_GROUP: Final = 5
_LONGEST_NUMBER: Final = 2
# Quantities of so many digits are written with separators; without, they are codes, unless they are round. One digit
# less may also be a quantity if a word follows.
_CODE_DIGITS: Final = 6
_CUES: Final = "code pin zip otp plz código codice kod kodu flight flug vol extension ext account konto"
# Words behind which any run of digits is a code.
_BEFORE_CODE: Final = frozenset(_CUES.split())
_HYPHENATED: Final = re.compile(r"\d{1,7}(?:-\d{1,7}){2,}")


class Codes:
    """Recognises codes and says them digit by digit."""

    def __init__(self, conventions: Conventions, spelling: Spelling) -> None:
        self._conventions = conventions
        self._spelling = spelling
        self._phones = [_ABROAD, _BRACKETED, _DOMESTIC, _TEN_DIGITS]
        if conventions.language == "en":
            self._phones.append(_SEVEN_DIGITS)

    def read(self, passage: Passage) -> Reading | None:
        """Read the code at the beginning."""
        text = passage.text
        if passage.word in {"v", "V"} and passage.before in {"v", "V"}:
            return self._version(passage, _SHORT_VERSION)
        if (found := _ADDRESS.match(text)) and passage.clean(found.end()):
            parts = found[0].split(".")
            if all(int(part) <= 255 for part in parts) and self._conventions.dot:
                return found.end(), f" {self._conventions.dot} ".join(self._spelling.digits(part) for part in parts)
        if (found := _CARD.match(text)) and passage.clean(found.end()):
            return found.end(), self._groups(found[0])
        for pattern in self._phones:
            if (found := pattern.match(text)) and (end := self._phone(passage, found)):
                plus = f"{self._conventions.plus} " if text[0] == "+" and self._conventions.plus else ""
                return end, plus + self._groups(text[:end])
        # A number of so many digits is not said, and one of three such groups is mostly a telephone's.
        if (found := _NINE_DIGITS.match(text)) and self._conventions.language != "en":
            spaced = found[1] in "- "
            if spaced and passage.clean(found.end()) and not text[found.end() :].strip():
                return found.end(), self._groups(found[0])
        if (found := _HYPHENATED.match(text)) and passage.clean(found.end()) and len(found[0]) > _CODE_DIGITS + 2:
            return found.end(), self._groups(found[0])
        return None

    def long(self, passage: Passage) -> Reading | None:
        """Read a run of digits too long, or with too many noughts before it, to be a number."""
        found = _PLAIN.match(passage.text)
        if found is None or not passage.clean(found.end()):
            return None
        digits = found[0]
        leading = len(digits) > 1 and digits[0] == "0"
        least = _CODE_DIGITS if passage.before_a_word(found.end()) else _CODE_DIGITS - 1
        unseparated = len(digits) >= least and not digits.endswith("00")
        cued = len(digits) > _LONGEST_NUMBER and passage.word.lower() in _BEFORE_CODE
        if leading or unseparated or cued or len(digits) > LONGEST:
            return found.end(), self._groups(digits)
        return None

    def version(self, passage: Passage) -> Reading | None:
        """Read three or more numbers with points between."""
        return self._version(passage, _VERSION)

    def _version(self, passage: Passage, pattern: re.Pattern[str]) -> Reading | None:
        found = pattern.match(passage.text)
        point = self._conventions.marks.get(".", self._conventions.dot)
        if found is None or not point or not passage.clean(found.end()):
            return None
        return found.end(), f" {point} ".join(self._spelling.cardinal(int(part)) for part in found[0].split("."))

    def _phone(self, passage: Passage, found: re.Match[str]) -> int:
        digits = sum(character.isdigit() for character in found[0])
        right = 7 <= digits <= 15 and passage.clean(found.end())
        return found.end() if right and found[0].count("(") == found[0].count(")") else 0

    def _groups(self, written: str) -> str:
        groups: list[str] = []
        for run in _PLAIN.findall(written):
            if len(run) <= _LONGEST_GROUP:
                groups.append(run)
                continue
            parts = [run[start : start + 3] for start in range(0, len(run), 3)]
            if len(parts[-1]) == 1:
                parts[-2:] = [parts[-2] + parts[-1]]
            groups.extend(parts)
        return self._spelling.groups(groups)
