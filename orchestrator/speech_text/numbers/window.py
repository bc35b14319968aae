"""How far something with numbers in it may reach, in text that is still being written.

A window is found looking at one code point after the other, and only ever at known ones: so it is the same however
the text was cut into deltas, and so is all that is read from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from orchestrator.speech_text.pieces import View

DIGITS: Final = frozenset("0123456789")
BLANKS: Final = frozenset(" \u00a0\u202f")
FRACTIONS: Final = frozenset("½⅓⅔¼¾")
_SEPARATORS: Final = frozenset(".,:/-–−'’")
# No number, date or amount is longer.
_LONGEST: Final = 80
_UNSPACED_FROM: Final = "\u2e80"


class Window(NamedTuple):
    """Text that may hold a number and what belongs to it."""

    text: str
    # One to three code points behind it; "" at the end of the reply.
    after: str


class MoreTextNeeded(Exception):  # noqa: N818 (it is no error)
    """The next code point is not written yet."""


class Vocabulary:
    """Words that may belong to a number: units, months, currencies."""

    def __init__(self, words: Iterable[str], months: Iterable[str], *, ordinal_stop: bool, suffixes: bool) -> None:
        self.months = frozenset(months)
        self._words = frozenset(words) | self.months
        self._beginnings = frozenset(word[:end] for word in self._words for end in range(1, len(word) + 1))
        self.month_initials = frozenset(month[0] for month in self.months)
        self.ordinal_stop = ordinal_stop
        # Whether endings are joined to numbers by an apostrophe ("14:30'da").
        self.suffixes = suffixes

    def longest(self, ahead: _Ahead, start: int) -> str:
        """The longest word of these that stands whole at `start`; "" for none."""
        found = ""
        end = start
        word = ""
        while True:
            word += ahead.at(end) or "\n"
            if word not in self._beginnings:
                return found
            end += 1
            if word in self._words:
                behind = ahead.at(end)
                if not (behind and word[-1].isalpha() and (joined(behind) or behind in "'’")):
                    found = word


class _Ahead:
    """The code points from the view's place on."""

    def __init__(self, view: View) -> None:
        self._known = view.text[view.at : view.at + _LONGEST + 40]
        self._ended = view.ended or len(self._known) == _LONGEST + 40

    def at(self, index: int) -> str:
        """One code point; "" past the end.

        Raises:
            MoreTextNeeded: it is not written yet.
        """
        if index < len(self._known):
            return self._known[index]
        if self._ended:
            return ""
        raise MoreTextNeeded

    def upto(self, end: int) -> str:
        return self._known[:end]


def joined(character: str) -> bool:
    """Whether a code point makes one word with a digit beside it; Chinese and Japanese signs do not."""
    return character.isalnum() and character < _UNSPACED_FROM


def gather(view: View, vocabulary: Vocabulary) -> Window:
    """The window that begins at the view's place.

    Raises:
        MoreTextNeeded: its end is not certain yet.
    """
    ahead = _Ahead(view)
    end, open_bracket = 0, False
    while end < _LONGEST:
        character = ahead.at(end)
        if not character:
            break
        if character in DIGITS or character in FRACTIONS:
            end += 1
            continue
        if character == "(" and not open_bracket and ahead.at(end + 1) in DIGITS and end < 8:
            open_bracket = True
            end += 1
            continue
        if character == ")" and open_bracket:
            open_bracket = False
            end += 1
            continue
        step = _step(ahead, end, character, vocabulary)
        if not step:
            break
        end += step
    return Window(ahead.upto(end), _after(ahead, end, vocabulary))


def _step(ahead: _Ahead, end: int, character: str, vocabulary: Vocabulary) -> int:
    """How much further the window reaches from `end`; 0 when it ends there."""
    if character in _SEPARATORS:
        return _over_separator(ahead, end, character, vocabulary)
    if character in BLANKS:
        following = ahead.at(end + 1)
        if following and following in DIGITS:
            return 2
        if following and following in FRACTIONS:
            return 2
        if following and following in "-–" and ahead.at(end + 2) in BLANKS and ahead.at(end + 3) in DIGITS:
            return 4
        if following == "(" and end < 8 and ahead.at(0) == "+" and ahead.at(end + 2) in DIGITS:
            return 1
        word = vocabulary.longest(ahead, end + 1)
        return len(word) + 1 if word else 0
    if character == "+":
        return 1 if end == 0 else 0
    word = vocabulary.longest(ahead, end)
    if word:
        return len(word)
    return 1 if end and joined(character) and joined(ahead.at(end - 1)) else 0


def _over_separator(ahead: _Ahead, end: int, character: str, vocabulary: Vocabulary) -> int:
    following = ahead.at(end + 1)
    if not following:
        return 0
    if following in DIGITS:
        return 2
    if character in "-–−" and following in "$€£¥₹":
        return 1
    if character == "." and following in BLANKS and vocabulary.ordinal_stop:
        word = vocabulary.longest(ahead, end + 2)
        return len(word) + 2 if word in vocabulary.months else 0
    if character == "," and following in BLANKS and ahead.at(end + 2) in DIGITS:
        words = ahead.upto(end).replace(" ", "\u00a0").split("\u00a0")
        return 3 if any(word in vocabulary.months for word in words) else 0
    if character in "'’" and vocabulary.suffixes and following.isalpha():
        length = 1
        while length < 12 and ahead.at(end + length).isalpha():
            length += 1
        return length
    return 0


def _after(ahead: _Ahead, end: int, vocabulary: Vocabulary) -> str:
    after = ahead.at(end)
    if after and after in " .\u00a0\u202f":
        after += ahead.at(end + 1)
        if len(after) == 2 and vocabulary.ordinal_stop and after[0] == "." and after[1] in BLANKS:
            after += ahead.at(end + 2)
    return after
