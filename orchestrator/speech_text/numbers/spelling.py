"""Numbers as words.

num2words spells English, German, Spanish, French, Italian, Portuguese, Dutch, Polish and Turkish. It has no Chinese
and no Hindi; its Japanese spells in kanji, which changes nothing for a voice that reads Japanese and defeats those
that read digits but few kanji. In these three, digits stay digits, for the voice to read: what is around them (dates,
money, units, per cent) is still put into the language's words and order.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from orchestrator.speech_text.numbers.conventions import Conventions

# More digits than this are no number that anybody says.
LONGEST: Final = 15
_FEMININE: Final = "heure minute seconde livre once tonne roupie couronne lire"
_FRENCH_FEMININE: Final = frozenset(_FEMININE.split())


class NoWords(Exception):  # noqa: N818 (it is no error: the voice reads the number)
    """The library cannot spell a number."""


@lru_cache(maxsize=1)
def _num2words() -> Callable[..., object]:
    # Imported at the first number, or by `prepare`: it loads every language it knows.
    return importlib.import_module("num2words").num2words  # type: ignore[no-any-return]


@lru_cache(maxsize=4096)
def _convert(number: int, converter: str, kind: str) -> str:
    try:
        words = str(_num2words()(number, lang=converter, to=kind)).replace(",", "")
    except (ArithmeticError, LookupError, NotImplementedError, TypeError, ValueError) as error:
        raise NoWords(f"{converter} has no {kind} for a number of {len(str(number))} digits") from error
    return _turkish(words) if converter == "tr" else words


@lru_cache(maxsize=1)
def _turkish_atoms() -> re.Pattern[str]:
    convert = _num2words()
    numbers = [*range(10), *range(10, 100, 10), 100, 1000]
    atoms = [str(convert(number, lang="tr")) for number in numbers] + ["milyon", "milyar", "trilyon"]
    return re.compile("|".join(sorted(atoms, key=len, reverse=True)))


def _turkish(words: str) -> str:
    """num2words joins them, as on a cheque; people write and voices stress them apart."""
    parts: list[str] = []
    at = 0
    atoms = _turkish_atoms()
    while at < len(words):
        found = atoms.match(words, at)
        if found is None:  # An ending ("-inci"), or a stem that changed before it ("dördüncü").
            if parts and not words.startswith("dörd", at):
                parts[-1] += words[at:]
            else:
                parts.append(words[at:])
            break
        parts.append(found[0])
        at = found.end()
    return " ".join(parts)


class Spelling:
    """Says whole numbers in one language. All of it raises `NoWords` for a number that is too large."""

    def __init__(self, conventions: Conventions) -> None:
        self.language = conventions.language
        self._converter = conventions.converter
        # Whether numbers become words; otherwise they stay digits.
        self.words = bool(conventions.converter)

    def cardinal(self, number: int) -> str:
        """As counted: "twenty-one"."""
        return _convert(number, self._converter, "cardinal") if self.words else str(number)

    def ordinal(self, number: int) -> str:
        """As ranked: "twenty-first"; the dictionary's form."""
        return _convert(number, self._converter, "ordinal") if self.words else str(number)

    def year(self, number: int) -> str:
        """As a year: "nineteen eighty-four"."""
        kind = "year" if self.language in {"en", "de", "nl"} else "cardinal"
        return _convert(number, self._converter, kind).replace("oh-", "oh ") if self.words else str(number)

    def digits(self, written: str) -> str:
        """One by one."""
        return " ".join(self.cardinal(int(digit)) for digit in written)

    def groups(self, written: list[str]) -> str:
        """Groups of digits, one by one, with a pause between groups."""
        return ", ".join(self.digits(group) for group in written)

    def counted(self, number: int, noun: str) -> str:
        """A cardinal before the noun that it counts (here in the singular), in the noun's gender."""
        said = self.cardinal(number)
        return _agree(said, number, self.language, feminine(noun, self.language)) if self.words else said

    def unsure_before_a_word(self, number: int) -> bool:
        """Whether the number's form depends on a noun whose gender is not known here."""
        tens, ones, hundreds = number % 100, number % 10, number % 1000 // 100
        match self.language:
            case "de" | "pl":
                return tens == 1 or (self.language == "pl" and ones == 2 and tens != 12)
            case "es":
                return (ones == 1 and tens != 11) or hundreds >= 2
            case "pt":
                return (ones in {1, 2} and tens not in {11, 12}) or hundreds >= 2
            case "fr":
                return ones == 1 and tens not in {11, 71, 91}
            case "it":
                return number == 1
        return False


def feminine(noun: str, language: str) -> bool:
    """Whether a noun that is counted (a unit, a currency; in the singular) is feminine, by its first word's ending."""
    first = noun.strip().split(" ")[0].split("-")[0].lower()
    if language == "fr":
        return first in _FRENCH_FEMININE
    if language == "de":
        return first.endswith("e")
    return language in {"es", "it", "pt", "pl"} and first.endswith("a")


def _agree(said: str, number: int, language: str, is_feminine: bool) -> str:
    tens, ones = number % 100, number % 10
    if language == "de" and tens == 1:
        return said.removesuffix("s") + ("e" if is_feminine else "") if number == 1 else said.removesuffix("s")
    if language == "es":
        if is_feminine:
            said = said.replace("cientos", "cientas").replace("quinientos", "quinientas")
            said = said.replace("gentos", "gentas").replace("novecientos", "novecientas")
            return said[:-1] + "a" if said.endswith("uno") else said
        if said.endswith("veintiuno"):
            return said[:-3] + "ún"
        return said[:-1] if said.endswith("uno") else said
    if language == "pt" and is_feminine:
        said = re.sub(r"entos\b", "entas", said)
        if ones == 1 and tens != 11:
            return said + "a"
        return said.removesuffix("dois") + "duas" if ones == 2 and tens != 12 else said
    if language == "fr" and is_feminine and said.endswith("un"):
        return said + "e"
    if language == "it" and number == 1:
        return "una" if is_feminine else "un"
    if language == "pl" and is_feminine:
        if number == 1:
            return "jedna"
        return said.removesuffix("dwa") + "dwie" if ones == 2 and tens != 12 else said
    return said
