"""The rule that reads numbers: finds how far one reaches, and has it said."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from orchestrator.speech_text.numbers.conventions import Conventions, conventions_for
from orchestrator.speech_text.numbers.grammar import Grammar
from orchestrator.speech_text.numbers.names import CODES, SIGNS, UNITS, Names
from orchestrator.speech_text.numbers.passage import Reading
from orchestrator.speech_text.numbers.spelling import NoWords, Spelling
from orchestrator.speech_text.numbers.window import (
    BLANKS,
    DIGITS,
    FRACTIONS,
    MoreTextNeeded,
    Vocabulary,
    Window,
    gather,
    joined,
)
from orchestrator.speech_text.pieces import Taken, View
from orchestrator.speech_text.words import words_for

# A verdict that there is no number here: the ordinary rules apply.
_NOTHING: Final = Taken(0)
# What a number's text can begin with, beside digits and the names of months.
_OPENERS: Final = frozenset("+-−(%$€£¥￥₹₺₩₴₪₽") | FRACTIONS
_STARTS: Final = DIGITS | _OPENERS
# Directly behind these, a number is a part of something whose beginning was not read.
_WITHIN: Final = frozenset(".,/:")
# Letters that begin signs of currencies.
_LETTERED: Final = {"en": frozenset("UAC"), "pt": frozenset("RU")}
# Words that decide how a number before them is meant.
_EXTRA: Final = {
    "pl": frozenset({"roku", "r."}),
    "fr": frozenset({"h"}),
    "pt": frozenset({"h"}),
    "en": frozenset({"am", "pm", "AM", "PM", "a.m.", "p.m.", "A.M.", "P.M."}),
}
# They reach all that is loaded on first use.
_SAMPLES: Final = ("2026-11-24", "21,50 €", "3 km", "5 CHF")


class NumberReader:
    """Reads numbers, dates, times, amounts of money and codes in one language.

    What it is not sure of it leaves as written, for the voice to read.
    """

    def __init__(self, conventions: Conventions) -> None:
        names = Names(conventions)
        self._grammar = Grammar(conventions, Spelling(conventions), names)
        self._spelling = self._grammar.spelling
        extra = {conventions.of, conventions.time_word, *conventions.magnitudes} - {""}
        extra |= _EXTRA.get(conventions.language, frozenset())
        self._vocabulary = Vocabulary(
            {*UNITS, *SIGNS, *CODES, *extra},
            names.month_numbers,
            ordinal_stop=conventions.ordinal_stop,
            suffixes=conventions.language == "tr",
        )
        # English writes the month first; elsewhere a date begins with a digit.
        initials = self._vocabulary.month_initials if conventions.language == "en" else frozenset()
        lettered = _LETTERED.get(conventions.language, frozenset())
        self.starts: frozenset[str] = _STARTS | initials | lettered

    def listed(self, number: str) -> str:
        """The number of a list's item."""
        return self._spelling.cardinal(int(number))

    def read(self, view: View) -> Taken | None:
        """Read what begins at the view's place, which is one of `starts`.

        A verdict of length 0: the ordinary rules apply. None: more text must tell.
        """
        first = view.text[view.at]
        version = view.word in {"v", "V"} and view.before in {"v", "V"}
        if joined(view.before) and not version and first not in "%":
            return _NOTHING
        try:
            window = gather(view, self._vocabulary)
        except MoreTextNeeded:
            return None
        if view.formula and "$" in window.text:  # It is the formula's end.
            text, _, behind = window.text.partition("$")
            window = Window(text, f"${behind}{window.after}"[:3])
        if not window.text or not any(character in DIGITS or character in FRACTIONS for character in window.text):
            return _NOTHING
        if view.before not in _WITHIN:
            reading = self._reading(window, view)
            if reading is not None:
                length, spoken = reading
                behind = (window.text[length:] + window.after)[:1]
                blank_before = " " if version or joined(view.before) else ""
                blank_behind = " " if behind and joined(behind) and spoken[-1].isalnum() else ""
                return Taken(length, f"{blank_before}{spoken}{blank_behind}")
        if first not in DIGITS:
            return _NOTHING
        ends = (index for index, character in enumerate(window.text) if character in BLANKS or character in "()")
        whole = window.text[: next(ends, None)]
        return Taken(len(whole), whole, literal=True)

    def _reading(self, window: Window, view: View) -> Reading | None:
        try:
            return self._grammar.read(window.text, window.after, view.word, view.before)
        except NoWords:
            return None


@lru_cache(maxsize=64)
def number_reader(language: str) -> NumberReader | None:
    """The reader of a BCP 47 language; None for one whose numbers are left to the voice."""
    conventions = conventions_for(language)
    return NumberReader(conventions) if conventions else None


def prepare(language: str) -> None:
    """Load what a language's numbers need (tens of milliseconds), so that the first number of a call need not.

    Blocks: not for an event loop.
    """
    reader = number_reader(language)
    if reader is not None:
        for written in _SAMPLES:
            reader.read(View(written, 0, ended=True, words=words_for(language)))
