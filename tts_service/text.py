"""What of a text can be pronounced, and where long texts may be cut.

Both keep track of code points, since alignments name positions in the text the client sent.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

_SOFT_HYPHEN = "\u00ad"
_JOINERS = "\u200c\u200d"  # they shape letters in Persian and Indic scripts
_FIRST_PICTURE = 0x2190  # arrows; below are signs that are read, such as degree and copyright
_ENCLOSED_CJK = range(0x3200, 0x3400)  # units and dates of East Asian text, which are read
_KEYCAP = "\u20e3"
_VARIATION_SELECTORS = range(0xFE00, 0xFE10)

# Sentence ends and clause ends: those of Latin-like scripts only before a space, "3.14" is one number.
# Each is entered at the first mark of a run only, and never gives back: ten thousand dots must not cost their square.
_SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’)\]»]*+(?=\s)|[。！？।؟]++[」』”]*+")
_CLAUSE_END = re.compile(r"[,;:—–][\"'”’)\]»]*+(?=\s)|[，、；：،؛]")
_WORD = re.compile(r"\S++")
_SPACE = re.compile(r"\s++")
# A full stop that ends no sentence: "Dr.", "e.g.", "5." of a German date. Missing one costs a cut, no more.
_ABBREVIATION = re.compile(r"(?:(?:^|\s)[A-Z][a-z]{0,3}|[A-Za-z]\.[A-Za-z]|\b(?:etc|vs|approx|ca|no)|\d)\.$")
_LONGEST_ABBREVIATION = 12
_PAUSING = frozenset(".!?…,;:—–。！？।؟，、；：،؛\"'”’)]»」』")


@dataclass(frozen=True)
class SpeakableText:
    """A text without what nobody pronounces; `origin[i]` is the code point in the original of its i-th."""

    text: str
    origin: tuple[int, ...] | range
    original_length: int

    def original_range(self, start: int, end: int) -> tuple[int, int]:
        """The range of the original that a non-empty range of this text stands for (end exclusive)."""
        return self.origin[start], self.origin[end - 1] + 1


def speakable(text: str) -> SpeakableText:
    """Leave out pictures, control characters and soft hyphens; what separates words becomes a space."""
    if text.isascii() and text.isprintable():
        return SpeakableText(text, range(len(text)), len(text))
    kept: list[str] = []
    origin: list[int] = []
    for index, character in enumerate(text):
        if character == _SOFT_HYPHEN or ord(character) in _VARIATION_SELECTORS:
            continue
        kept.append(" " if _is_mute(character) else character)
        origin.append(index)
    return SpeakableText("".join(kept), tuple(origin), len(text))


def normalised(text: str) -> SpeakableText:
    """The text as engines get it: what is speakable, words separated by single spaces, none at the ends.

    Texts that differ in nothing one could hear are one text then, and are spoken and kept once.
    """
    said = speakable(text)
    words = [match.span() for match in _WORD.finditer(said.text)]
    if said.text == text and " ".join(text[start:end] for start, end in words) == text:
        return said
    kept = [index for start, end in words for index in (*range(start, end), end)][:-1]
    # A word's end stands for the one space behind it.
    written = " ".join(said.text[start:end] for start, end in words)
    return SpeakableText(written, tuple(said.origin[index] for index in kept), len(text))


def is_pronounceable(text: str) -> bool:
    """Whether there is a letter or a digit, of any script, in it."""
    return any(unicodedata.category(character)[0] in "LN" for character in text)


def _is_mute(character: str) -> bool:
    category = unicodedata.category(character)
    code = ord(character)
    if category in {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}:
        return True
    if category == "Cf":
        return character not in _JOINERS
    if category in {"So", "Sk"}:
        return code >= _FIRST_PICTURE and code not in _ENCLOSED_CJK
    return character == _KEYCAP


@dataclass(frozen=True)
class Piece:
    """A part of a text that an engine speaks in one go.

    `start` is its first code point; `pauses` says whether it ends where a speaker pauses (at punctuation, or at the
    text's end) rather than in the middle of a clause.
    """

    start: int
    text: str
    pauses: bool


def pieces(text: str, limit: int) -> Iterator[Piece]:
    """Cut a text into pieces of at most `limit` code points, joined they are the text.

    A text within the limit stays whole. A longer one is cut at the last sentence end within the limit, else at the
    last clause end, else at the last space, else at the limit. Pieces that say nothing are left out.
    """
    start = 0
    while start < len(text):
        rest = text[start:]
        length = len(rest) if len(rest) <= limit else _cut(rest, limit)
        piece = rest[:length]
        if is_pronounceable(piece):
            stripped = piece.rstrip()
            pauses = start + length >= len(text) or stripped[-1:] in _PAUSING
            yield Piece(start, piece, pauses)
        start += length


def clauses(text: str, limit: int, *, shortest: int = 16) -> Iterator[Piece]:
    """Cut a text at every clause and sentence end, into pieces of at least `shortest` code points and at most `limit`.

    For an engine that speaks clause by clause anyway: many replies can then take turns at the cost of none's prosody.
    """
    ends = {match.end() for pattern in (_SENTENCE_END, _CLAUSE_END) for match in pattern.finditer(text)}
    start = 0
    for end in (*sorted(ends), len(text)):
        if end < len(text) and (end - start < shortest or _is_abbreviation(text, end)):
            continue
        for piece in pieces(text[start:end], limit):
            yield Piece(start + piece.start, piece.text, piece.pauses)
        start = end


def _is_abbreviation(text: str, end: int) -> bool:
    return _ABBREVIATION.search(text[max(0, end - _LONGEST_ABBREVIATION) : end]) is not None


def _cut(text: str, limit: int) -> int:
    window = text[: limit + 1]
    # A very short first piece sounds chopped: look for its end in the later two thirds of the window.
    earliest = limit // 3
    for pattern in (_SENTENCE_END, _CLAUSE_END, _SPACE):
        ends = [
            match.end()
            for match in pattern.finditer(window)
            if earliest <= match.end() <= limit and not _is_abbreviation(window, match.end())
        ]
        if ends:
            return ends[-1]
    return limit
