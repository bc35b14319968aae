"""What the rules of reading work on and give back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

from orchestrator.speech_text.words import Words


class Taken(NamedTuple):
    """A rule's verdict on the text at hand: `length` written code points are read as `spoken`."""

    length: int
    spoken: str = ""
    # Code point for code point the same; otherwise `spoken` stands for the whole stretch.
    literal: bool = False
    # A sentence certainly ends here: the end of a paragraph, a heading or a list's item.
    breaks: bool = False
    # For white space: the written code point behind it ("" at the end).
    following: str = ""


class Piece(NamedTuple):
    """Something to say, with the written range it stands for."""

    spoken: str
    start: int
    end: int
    literal: bool
    breaks: bool
    following: str


class NumberReading(Protocol):
    """The rule that reads numbers."""

    @property
    def starts(self) -> frozenset[str]:
        """What a number's text can begin with."""

    def read(self, view: View) -> Taken | None:
        """Read the number at the view's place; a verdict of length 0 when there is none."""

    def listed(self, number: str) -> str:
        """How the number of a list's item is said."""


@dataclass(slots=True)
class View:
    """The text not yet read, and what stands before it."""

    text: str
    at: int
    ended: bool
    words: Words
    # The written code point before this one; "" at the start.
    before: str = ""
    # The last thing said that was no blank.
    said: str = ""
    line_start: bool = True
    # What kind of line this is: "" for running text.
    line_kind: str = ""
    # The word before this place, if nothing but blanks stands between; its last code points if it is long.
    word: str = ""
    # Whether a formula's "$" is open.
    formula: bool = False
    # Who reads numbers; None: the voice.
    numbers: NumberReading | None = None

    def peek(self, ahead: int = 1) -> str | None:
        """The code point `ahead` of this one; "" past the end; None while it is not known."""
        index = self.at + ahead
        if index < len(self.text):
            return self.text[index]
        return "" if self.ended else None

    def run(self, character: str, limit: int) -> int | None:
        """How often `character` stands here in a row, at most `limit`; None while that is not known."""
        length = 0
        while length < limit:
            found = self.peek(length)
            if found is None:
                return None
            if found != character:
                return length
            length += 1
        return length


# None: more text must tell.
Rule: TypeAlias = Callable[[View], Taken | None]
