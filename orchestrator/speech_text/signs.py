"""Signs of emphasis, money and arithmetic, dashes, blanks and marks."""

from __future__ import annotations

from typing import Final

from orchestrator.speech_text.pieces import Taken, View
from orchestrator.speech_text.tags import MARKUP

_LONGEST_RUN: Final = 64
_LONGEST_TITLE: Final = 500


def stars(view: View) -> Taken | None:
    """Emphasis, or a multiplication."""
    length = view.run("*", _LONGEST_RUN)
    if length is None:
        return None
    after = view.peek(length) or ""
    if length == 1 and view.words.times and view.said.isdigit():
        spaced = view.before == " " and after == " "
        if spaced or (view.before.isdigit() and after.isdigit()):
            return Taken(1, view.words.times if spaced else f" {view.words.times} ")
    return Taken(length)


def underscores(view: View) -> Taken | None:
    """Emphasis at a word's edge, a blank inside a name."""
    length = view.run("_", _LONGEST_RUN)
    if length is None:
        return None
    inside = view.before.isalnum() and (view.peek(length) or "").isalnum()
    return Taken(length, " " if inside else "")


def tilde(view: View) -> Taken | None:
    """Struck-out text's marks, or "about"."""
    length = view.run("~", _LONGEST_RUN)
    if length is None:
        return None
    about = length == 1 and view.words.about and (view.peek() or "").isdigit() and not view.before.isalnum()
    return Taken(length, f"{view.words.about} " if about else "")


def number_sign(view: View) -> Taken | None:
    """C# keeps it, a hashtag does not, and #5 is number five."""
    after = view.peek()
    if after is None:
        return None
    if after.isdigit() and view.words.number and view.numbers is not None and not view.before.isalnum():
        return Taken(1, f"{view.words.number} ")
    return Taken(1, "#", literal=True) if after.isdigit() or view.before.isalpha() else Taken(1)


def exclamation(view: View) -> Taken | None:
    """Before a bracket, the mark of a picture."""
    after = view.peek()
    if after is None:
        return None
    if after == "[":
        return Taken(1)
    return Taken(1) if view.before == "!" else Taken(1, "!", literal=True)


def escape(view: View) -> Taken | None:
    """A terminal's control sequence (its colours) is left out whole."""
    after = view.peek()
    if after is None:
        return None
    if after == "]":
        return _titled(view)
    if after != "[":
        return Taken(1)
    for index in range(2, _LONGEST_RUN):
        character = view.peek(index)
        if character is None:
            return None
        if "@" <= character <= "~":
            return Taken(index + 1)
        if not " " <= character <= "?":
            break
    return Taken(2)


def _titled(view: View) -> Taken | None:
    """A sequence that sets a window's title or a link, up to its bell."""
    for index in range(2, _LONGEST_TITLE):
        character = view.peek(index)
        if character is None:
            return None
        if character in {"\x07", "\x1b"}:
            return Taken(index + (character == "\x07"))
        if character in {"", "\n"}:
            break
    return Taken(2)


def backslash(view: View) -> Taken | None:
    """Markdown's escape: the sign after it is itself, and as such said only if a voice can say it."""
    after = view.peek()
    if after is None:
        return None
    if after and after in MARKUP:
        return Taken(2)
    return Taken(1)


def dollar(view: View) -> Taken | None:
    """Money, or a formula's mark."""
    length = view.run("$", _LONGEST_RUN)
    if length is None:
        return None
    after = view.peek(length) or ""
    if length == 1 and not view.formula and (after.isdigit() or view.before.isdigit()):
        return Taken(1, "$", literal=True)
    view.formula = not view.formula
    return Taken(length)


def caret(view: View) -> Taken | None:
    """A power, or a leftover of markup."""
    after = view.peek()
    if after is None:
        return None
    if view.words.power and view.before.isalnum() and (after.isdigit() or after in {"-", "{", "n"}):
        return Taken(1, f" {view.words.power} ")
    return Taken(1, " ")


def hyphen(view: View) -> Taken | None:
    """A dash written as two hyphens, or an arrow, is a pause."""
    length = view.run("-", _LONGEST_RUN)
    if length is None:
        return None
    after = view.peek(length)
    if after is None:
        return None
    if after == ">":
        return Taken(length + 1, ", ")
    return Taken(1, "-", literal=True) if length == 1 else Taken(length, " — ")


def equals(view: View) -> Taken | None:
    """An arrow is a pause, a row of them nothing."""
    length = view.run("=", _LONGEST_RUN)
    if length is None:
        return None
    after = view.peek(length)
    if after is None:
        return None
    if after == ">":
        return Taken(length + 1, ", ")
    return Taken(1, "=", literal=True) if length == 1 else Taken(length)


def bar(view: View) -> Taken | None:
    """Between a table's cells, a pause; at its edges nothing."""
    index = 1
    while index < _LONGEST_RUN:
        after = view.peek(index)
        if after is None:
            return None
        if after not in {" ", "\t"}:
            break
        index += 1
    return Taken(index) if view.peek(index) in {"", "\n", "|", "\r"} or not view.said else Taken(index, ", ")


def blank(view: View) -> Taken | None:
    """White space within a line: one blank, none at a line's end or before a mark that stands close."""
    length = 1
    while length < _LONGEST_RUN:
        after = view.peek(length)
        if after is None:
            return None
        if not after or after not in " \t\u00a0\u202f\r":
            break
        length += 1
    after = view.peek(length)
    if after is None:
        return None
    if after and after in ",.;:!?":
        # A mark that begins a number or a name (".5", ".NET") keeps its blank.
        beyond = view.peek(length + 1)
        if beyond is None:
            return None
        return Taken(length, " ", following=after) if beyond.isalnum() else Taken(length)
    return Taken(length) if after in {"\n", "|"} else Taken(length, " ", following=after)


def full_stops(view: View) -> Taken | None:
    """A full stop, or an ellipsis of at most three."""
    length = view.run(".", _LONGEST_RUN)
    if length is None:
        return None
    return Taken(length, "." * length, literal=True) if length <= 3 else Taken(length, "...")


def repeated(view: View) -> Taken | None:
    """Marks said once however often they are written."""
    mark = view.text[view.at]
    return Taken(1) if view.before == mark else Taken(1, mark, literal=True)


def colon(view: View) -> Taken | None:
    """A pause, or the eyes of a smile, which is not said."""
    if not view.before.isspace():
        return repeated(view)
    length = 1
    if view.peek(length) == "-":
        length = 2
    mouth, after = view.peek(length), view.peek(length + 1)
    if mouth is None or (mouth and mouth in "()DPp" and after is None):
        return None
    if mouth and mouth in "()DPp" and not (after or "").isalnum():
        return Taken(length + 1)
    return repeated(view)
