"""Reads what a model writes, aloud: an incremental pass from written text to pieces of speech."""

from __future__ import annotations

import unicodedata
from typing import Final

from orchestrator.speech_text.blocks import line_end, line_start
from orchestrator.speech_text.characters import reading
from orchestrator.speech_text.inline import INLINE
from orchestrator.speech_text.links import letter
from orchestrator.speech_text.pieces import NumberReading, Piece, Taken, View
from orchestrator.speech_text.sentences import CLOSERS
from orchestrator.speech_text.signs import blank
from orchestrator.speech_text.words import words_for

_SHORTEST_FENCE: Final = 3
_LONGEST_FENCE: Final = 64
_LONGEST_WORD: Final = 24


class WrittenReader:
    """Turns written text into pieces of speech, in order.

    Every rule decides on the text alone and asks for more when it cannot yet, so that the pieces' characters do not
    depend on how the text was cut into deltas. No rule waits for more than about 2,000 code points, and those that
    wait long are about to leave out what they hold.
    """

    def __init__(self, language: str, numbers: NumberReading | None = None) -> None:
        self._view = View(text="", at=0, ended=False, words=words_for(language), numbers=numbers)
        self._number_starts = numbers.starts if numbers is not None else frozenset[str]()
        self._offset = 0  # of the view's text in all that was written
        self._fence = ""

    def push(self, text: str) -> list[Piece]:
        """Pieces that are certain with this much more text."""
        self._view.text += text
        return self._read()

    def finish(self) -> list[Piece]:
        """The rest; nothing may be pushed afterwards."""
        self._view.ended = True
        return self._read()

    @property
    def held(self) -> str:
        """What was pushed and is not read yet, because more text must tell what it is."""
        return self._view.text

    def settle(self) -> list[Piece]:
        """Read what is held as if nothing followed; more may be pushed afterwards."""
        self._view.ended = True
        pieces = self._read()
        self._view.ended = False
        return pieces

    def _read(self) -> list[Piece]:
        view = self._view
        pieces: list[Piece] = []
        while view.at < len(view.text):
            in_code = bool(self._fence)
            taken = self._take()
            if taken is None:
                break
            if taken.spoken or taken.breaks:
                start = self._offset + view.at
                pieces.append(
                    Piece(taken.spoken, start, start + taken.length, taken.literal, taken.breaks, taken.following)
                )
            self._advance(taken, in_code=in_code)
        self._offset += view.at
        view.text = view.text[view.at :]
        view.at = 0
        return pieces

    def _take(self) -> Taken | None:
        view = self._view
        character = view.text[view.at]
        if self._fence:
            return self._skip_code()
        if character == "\n":
            return line_end(view)
        if view.line_start:
            if character in " \t\r":
                return Taken(1)
            marker = line_start(view)
            if marker is None or marker.length:
                return marker
        if character == "`" or (character == "~" and view.line_start):
            fence = self._open_fence(character)
            if fence is None or fence.length:
                return fence
        if character in self._number_starts and view.numbers is not None:
            number = view.numbers.read(view)
            if number is None or number.length:
                return number
        if character.isalnum():
            return letter(view)
        rule = INLINE.get(character)
        if rule is not None:
            return rule(view)
        if unicodedata.category(character) == "Zs":
            return blank(view)
        said = reading(character, view.before)
        return Taken(1, said, literal=said == character)

    def _open_fence(self, mark: str) -> Taken | None:
        """Three or more of a mark open a block of code, for which one sentence stands; fewer backticks are no sound."""
        length = self._view.run(mark, _LONGEST_FENCE)
        if length is None:
            return None
        if length < _SHORTEST_FENCE:
            return Taken(length if mark == "`" else 0)
        self._fence = mark * length
        code = self._view.words.code
        return Taken(length, f" {code} " if code else "", breaks=bool(code))

    def _skip_code(self) -> Taken | None:
        view = self._view
        end = view.text.find(self._fence, view.at)
        if end >= 0:
            length = end - view.at + len(self._fence)
            self._fence = ""
            return Taken(length)
        # All but what may be the beginning of the closing fence.
        length = len(view.text) - view.at - (0 if view.ended else len(self._fence) - 1)
        return Taken(length) if length > 0 else None

    def _advance(self, taken: Taken, *, in_code: bool) -> None:
        view = self._view
        first = view.text[view.at]
        view.at += taken.length
        if view.numbers is not None:
            self._remember_word(first, taken)
        view.before = view.text[view.at - 1]
        if in_code:  # Code is left out in pieces that depend on the deltas; what follows it must not.
            view.line_start = False
            view.line_kind = ""
            return
        for character in reversed(taken.spoken):
            if character != " " and character not in CLOSERS:
                view.said = character
                break
        if taken.spoken and not taken.literal and view.before.isdigit():
            view.said = view.before  # For the signs of arithmetic behind it, a number is its digits.
        if first == "\n":
            view.formula = view.formula and taken.spoken == " " and not taken.breaks
            view.line_start = True
            view.line_kind = ""
        elif view.line_start and first not in " \t\r>":
            view.line_start = False

    def _remember_word(self, first: str, taken: Taken) -> None:
        view = self._view
        if first.isalnum():
            if not taken.literal:
                view.word = ""
            elif view.before.isalnum():
                view.word = (view.word + taken.spoken)[-_LONGEST_WORD:]
            else:
                view.word = taken.spoken[-_LONGEST_WORD:]
        elif not first.isspace():
            view.word = ""
