"""Where a sentence or a clause ends, in the scripts and languages spoken to."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Final

# Ends that need a blank behind them, and ends of scripts that write none.
_SPACED_ENDS: Final = ".!?…؟۔।॥։።፧‼⁇⁈⁉"
_UNSPACED_ENDS: Final = "。！？｡．"
SENTENCE_ENDS: Final = frozenset(_SPACED_ENDS + _UNSPACED_ENDS)
_SPACED_PAUSES: Final = frozenset(",;:—–،؛፣፤")
_UNSPACED_PAUSES: Final = frozenset("，、；：")
CLOSERS: Final = frozenset("\"'”’»›)]}」』）】〉》")

# Never the end of a sentence. Those that may be one (etc., Inc., p.m.) are told by the capital that follows.
_ABBREVIATIONS: Final = {
    "en": "mr mrs ms mx dr prof st sgt capt lt col gen rev hon gov sen rep pres messrs vs cf viz approx fig figs eq "
    "vol pp al",
    "de": "dr prof hr fr nr str bzw ca evtl ggf inkl exkl vgl st abs tel sog bspw dipl ing",
    "fr": "m mm mme mlle mr dr pr st ste av env p ex fig",
    "es": "sr sra srta dr dra prof ud uds pág núm av aprox art",
    "it": "sig dott prof ing avv pag art ecc",
    "pt": "sr sra dr dra prof pág núm av aprox art",
    "nl": "dhr mevr dr prof ir drs bijv ca nr blz vgl",
    "pl": "np dr prof mgr inż ul al pl godz tzn tj tzw ok nr str por św",
    "tr": "dr prof doç av sn örn bkz no cad sok mah",
}
_NUMBERED: Final = "no nos nr p pp fig sec ch art vol jan feb mar apr jun jul aug sep sept oct nov dec"
_BEFORE_NUMBER: Final = frozenset(_NUMBERED.split())
_WORDS_OF_ONE_LETTER: Final = frozenset("i")  # "So do I." ends one.
# In these, a number's full stop makes it an ordinal: "am 3. Mai".
_ORDINAL_LANGUAGES: Final = "de da nb nn no fi cs sk pl hu hr sl sr et lv is"
_ORDINAL_STOP: Final = frozenset(_ORDINAL_LANGUAGES.split())
_LAST_WORD: Final = re.compile(r"[^\s(\[{\"'“‘«„¿¡]*$")
_HALF_DAY: Final = frozenset({"a.m", "p.m"})


class Boundary(IntEnum):
    """How good a place is for a cut."""

    NONE = 0
    WORD = 1
    CLAUSE = 2
    SENTENCE = 3


class Boundaries:
    """Judges places in spoken text; one per language."""

    def __init__(self, language: str) -> None:
        self._language = language.replace("_", "-").split("-")[0].lower()
        self._abbreviations = frozenset(_ABBREVIATIONS.get(self._language, _ABBREVIATIONS["en"]).split())

    def at_blank(self, text: str, following: str) -> Boundary:
        """What the blank behind `text` is; `following` is the character behind the blank, "" for none."""
        stem = text.rstrip("".join(CLOSERS))
        if not stem:
            return Boundary.NONE
        last = stem[-1]
        if last in SENTENCE_ENDS:
            if last in ".…" and (following.islower() or (last == "." and self._abbreviated(stem[:-1], following))):
                return Boundary.WORD
            return Boundary.SENTENCE
        if last in _SPACED_PAUSES or last in _UNSPACED_PAUSES or text.endswith(" -"):
            return Boundary.CLAUSE
        return Boundary.WORD

    def inside(self, text: str, following: str) -> Boundary:
        """What the place between `text` and `following` is, where no blank stands (Chinese, Japanese)."""
        if following in CLOSERS or following in SENTENCE_ENDS or following in _UNSPACED_PAUSES:
            return Boundary.NONE
        last = text.rstrip("".join(CLOSERS))[-1:]
        if last and last in _UNSPACED_ENDS:
            # A full-width stop between digits is a decimal point.
            return Boundary.NONE if last == "．" and following.isdigit() else Boundary.SENTENCE
        return Boundary.CLAUSE if last and last in _UNSPACED_PAUSES else Boundary.NONE

    def _abbreviated(self, stem: str, following: str) -> bool:
        """Whether the full stop behind `stem` belongs to its last word, not to the sentence."""
        word = _last_word(stem).lower()
        if not word:
            return False
        if word in _HALF_DAY:
            return not following.isupper()
        if word in self._abbreviations or (word in _BEFORE_NUMBER and following.isdigit()):
            return True
        if word.isdigit():
            return self._language in _ORDINAL_STOP and len(word) <= 2
        if len(word) == 1:
            return word.isalpha() and word not in _WORDS_OF_ONE_LETTER
        # e.g. · U.S. · z.B. · p.ex.
        return "." in word and all(0 < len(part) <= 2 and part.isalpha() for part in word.split("."))


def _last_word(text: str) -> str:
    found = _LAST_WORD.search(text[-40:])
    return found[0] if found else ""
