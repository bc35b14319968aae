"""Links, citations and addresses of the web: what is said of them is their text, or their host."""

from __future__ import annotations

import re
from typing import Final

from orchestrator.speech_text.pieces import Taken, View

_LONGEST_ADDRESS: Final = 2000
_DIGITS: Final = "0123456789"
_UNSPACED_FROM: Final = "\u2e80"
_LONGEST_REFERENCE: Final = 64
_CITATION: Final = re.compile(r"\[(\^?\d{1,3}|[ xX])\]")
_CITATION_BEGUN: Final = re.compile(r"\[(\^?\d{0,3}|[ xX])\Z|\[(\^?\d{1,3}|[ xX])\]\Z")
_ADDRESS_SCHEMES: Final = ("https", "http", "ftp", "www")


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
        return _enclosed(view, 1, "[", "]", _LONGEST_REFERENCE)
    return Taken(1)


def source_bracket(view: View) -> Taken | None:
    """【4†source】, as some models cite."""
    return _enclosed(view, 0, "【", "】", 100)


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
    if text[at] in "vV" and view.numbers is not None and not view.before.isalnum():
        after = view.peek()
        if after is None:
            return None
        if after and after in _DIGITS:  # A version: its number is read by its own rule.
            return Taken(1, text[at], literal=True)
    end = at + 1
    while end < len(text) and text[end].isalnum():
        # Chinese and Japanese put no blank before a number.
        if view.numbers is not None and text[end - 1] >= _UNSPACED_FROM and text[end] in view.numbers.starts:
            break
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
