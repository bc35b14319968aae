"""What markup inside a line reads as. Each rule looks at one kind of sign and waits for as much text as it must see."""

from __future__ import annotations

import html
import re
from typing import Final

from orchestrator.speech_text.characters import reading
from orchestrator.speech_text.pieces import Rule, Taken, View

_LONGEST_ADDRESS: Final = 2000
_LONGEST_TAG: Final = 500
_LONGEST_BARE_TAG: Final = 40
_LONGEST_COMMENT: Final = 2000
_LONGEST_ENTITY: Final = 33
_LONGEST_RUN: Final = 64
_ENTITY: Final = re.compile(r"&(#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_ENTITY_BEGUN: Final = re.compile(r"&(#[xX]?[0-9a-fA-F]*|[A-Za-z][A-Za-z0-9]*|)\Z")
_CITATION: Final = re.compile(r"\[(\^?\d{1,3}|[ xX])\]")
_CITATION_BEGUN: Final = re.compile(r"\[(\^?\d{0,3}|[ xX])\Z|\[(\^?\d{1,3}|[ xX])\]\Z")
_ADDRESS_SCHEMES: Final = ("https", "http", "ftp", "www")
_SPACING_TAG: Final = re.compile(r"</?(br|p|div|li|ul|ol|tr|td|th|h[1-6]|hr|break|s|speak|sentence|paragraph)\b", re.I)
MARKUP: Final = frozenset("*_`~#[]<>|\\(){}^")


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
    """C# and #5 keep it, a hashtag does not."""
    after = view.peek()
    if after is None:
        return None
    return Taken(1, "#", literal=True) if after.isdigit() or view.before.isalpha() else Taken(1)


def opening_bracket(view: View) -> Taken | None:
    """A link's text is said; a citation's number and a task's box are not."""
    rest = view.text[view.at : view.at + 8]
    if citation := _CITATION.match(rest):
        after = view.peek(citation.end())
        if after is None:
            return None
        if after != "(":  # That would be a link whose text is a number.
            return Taken(citation.end())
    elif not view.ended and _CITATION_BEGUN.match(rest):
        return None
    return Taken(1)


def closing_bracket(view: View) -> Taken | None:
    """The end of a link's text; its address goes with it."""
    after = view.peek()
    if after is None:
        return None
    if after == "(":
        return _enclosed(view, 1, "(", ")", _LONGEST_ADDRESS)
    if after == "[":
        return _enclosed(view, 1, "[", "]", _LONGEST_RUN)
    return Taken(1)


def _enclosed(view: View, start: int, opening: str, closing: str, limit: int) -> Taken | None:
    """Leave out all through the closing sign that belongs to the one at `start`; only the first sign if none comes."""
    depth = 0
    for index in range(start, limit):
        character = view.peek(index)
        if character is None:
            return None
        if character in {"", "\n"}:
            break
        if character == opening:
            depth += 1
        elif character == closing:
            depth -= 1
            if depth == 0:
                return Taken(index + 1)
    return Taken(1)


def source_bracket(view: View) -> Taken | None:
    """【4†source】, as some models cite."""
    return _enclosed(view, 0, "【", "】", 100)


def exclamation(view: View) -> Taken | None:
    """Before a bracket, the mark of a picture."""
    after = view.peek()
    if after is None:
        return None
    if after == "[":
        return Taken(1)
    return Taken(1) if view.before == "!" else Taken(1, "!", literal=True)


def less_than(view: View) -> Taken | None:  # noqa: PLR0911 - one return per meaning
    """A tag of HTML or SSML, a comment, an address in angle brackets, or "less than"."""
    after = view.peek()
    if after is None:
        return None
    if after == "!":
        return _comment(view)
    if not after or not (after.isalpha() or after in "/?"):
        says = view.words.less_than and view.said.isalnum() and (after == " " or after.isdigit())
        return Taken(1, _apart(view, view.words.less_than, after) if says else "")
    for index in range(1, _LONGEST_TAG):
        character = view.peek(index)
        if character is None:
            return None
        if character in {"", "<", "\n"}:
            break
        if index == _LONGEST_BARE_TAG and "=" not in view.text[view.at : view.at + index]:
            break  # "a <b and so on": speech must not wait for a tag that never was.
        if character == ">":
            tag = view.text[view.at : view.at + index + 1]
            if "://" in tag.split(" ", 1)[0] or ("@" in tag and " " not in tag):
                return Taken(1)  # An address: read by its own rule.
            return Taken(index + 1, " " if _SPACING_TAG.match(tag) else "")
    return Taken(1)


def _comment(view: View) -> Taken | None:
    for index in range(1, _LONGEST_COMMENT):
        character = view.peek(index)
        if character is None:
            return None
        if not character:
            break
        if character == ">":
            begun = view.text[view.at : view.at + index + 1]
            if not begun.startswith("<!--") or (index > 5 and begun.endswith("-->")):
                return Taken(index + 1)
    return Taken(1)


def greater_than(view: View) -> Taken | None:
    """ "Greater than" between numbers; else a leftover of markup."""
    after = view.peek()
    if after is None:
        return None
    says = view.words.greater_than and view.said.isdigit() and (after == " " or after.isdigit())
    return Taken(1, _apart(view, view.words.greater_than, after) if says else "")


def _apart(view: View, word: str, after: str) -> str:
    return f"{'' if view.before == ' ' else ' '}{word}{'' if after == ' ' else ' '}"


def ampersand(view: View) -> Taken | None:
    """An entity of HTML, or "and"."""
    rest = view.text[view.at : view.at + _LONGEST_ENTITY]
    if entity := _ENTITY.match(rest):
        characters = html.unescape(entity[0])
        if len(characters) > 2:
            characters = ""
        said = "".join(reading(character, view.before) for character in characters if character not in MARKUP)
        if said == "&" and not view.before.isalnum():
            said = view.words.ampersand or said
        return Taken(entity.end(), said)
    if not view.ended and len(rest) < _LONGEST_ENTITY and _ENTITY_BEGUN.match(rest):
        return None
    after = view.peek() or ""
    if not view.words.ampersand or (view.before.isalnum() and after.isalnum()):
        return Taken(1, "&", literal=True)
    return Taken(1, _apart(view, view.words.ampersand, after))


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
    after = view.peek()
    if after is None:
        return None
    return Taken(1, "$", literal=True) if after.isdigit() or view.before.isdigit() else Taken(1)


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


def letter(view: View) -> Taken | None:
    """A word; if it begins an address of the web, the address, of which the host is said."""
    text, at = view.text, view.at
    if not view.before.isalnum() and text[at] in "hHwWfF":
        begun = text[at : at + 8].lower()
        for scheme in _ADDRESS_SCHEMES:
            mark = scheme + ("." if scheme == "www" else "://")
            if begun.startswith(mark):
                return _address(view)
            if not view.ended and mark.startswith(begun):
                return None
    end = at + 1
    while end < len(text) and text[end].isalnum():
        end += 1
    return Taken(end - at, text[at:end], literal=True)


def _address(view: View) -> Taken | None:
    length = 0
    depth = 0
    while length < _LONGEST_ADDRESS:
        character = view.peek(length)
        if character is None:
            return None
        if not character or character.isspace() or character in "<>\"'|`]【":
            break
        depth += (character == "(") - (character == ")")
        if depth < 0:
            break
        length += 1
    written = view.text[view.at : view.at + length].rstrip(".,;:!?*_~")
    host = written.split("://", 1)[-1].split("/", 1)[0].split("?", 1)[0].split("#", 1)[0]
    host = host.rsplit("@", 1)[-1].split(":", 1)[0]
    said = "".join(c for c in host.removeprefix("www.") if c.isalnum() or c in ".-")
    return Taken(len(written), said)


INLINE: Final[dict[str, Rule]] = {
    "*": stars,
    "_": underscores,
    "~": tilde,
    "#": number_sign,
    "[": opening_bracket,
    "]": closing_bracket,
    "【": source_bracket,
    "!": exclamation,
    "<": less_than,
    ">": greater_than,
    "&": ampersand,
    "\\": backslash,
    "$": dollar,
    "-": hyphen,
    "=": equals,
    "|": bar,
    " ": blank,
    "\t": blank,
    "\u00a0": blank,
    "\u202f": blank,
    ".": full_stops,
    "?": repeated,
    ",": repeated,
    ";": colon,
    ":": colon,
    "{": lambda _: Taken(1, " "),
    "}": lambda _: Taken(1, " "),
    "^": lambda _: Taken(1, " "),
}
