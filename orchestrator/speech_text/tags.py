"""Tags and entities of HTML and SSML, and the signs that they are made of."""

from __future__ import annotations

import html
import re
from typing import Final

from orchestrator.speech_text.characters import reading
from orchestrator.speech_text.pieces import Taken, View

_LONGEST_TAG: Final = 500
_LONGEST_BARE_TAG: Final = 40
_LONGEST_COMMENT: Final = 2000
_RAW: Final = "<![CDATA["
_LONGEST_ENTITY: Final = 33
_ENTITY: Final = re.compile(r"&(#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_ENTITY_BEGUN: Final = re.compile(r"&(#[xX]?[0-9a-fA-F]*|[A-Za-z][A-Za-z0-9]*|)\Z")
_SPACING_TAG: Final = re.compile(r"</?(br|p|div|li|ul|ol|tr|td|th|h[1-6]|hr|break|s|speak|sentence|paragraph)\b", re.I)
MARKUP: Final = frozenset("*_`~#[]<>|\\(){}^")


def less_than(view: View) -> Taken | None:
    """A tag of HTML or SSML, a comment, an address in angle brackets, or "less than"."""
    after = view.peek()
    if after is None:
        return None
    if after == "!":
        return _comment(view)
    if after == "|":
        return _special_token(view)
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


def _special_token(view: View) -> Taken | None:
    """<|im_end|> and its like, which leak from a model's own format."""
    for index in range(2, _LONGEST_BARE_TAG):
        character = view.peek(index)
        if character is None:
            return None
        if character == ">" and index > 2 and view.peek(index - 1) == "|":
            return Taken(index + 1)
        if not (character.isalnum() or character in "_|-"):
            break
    return Taken(1)


def _comment(view: View) -> Taken | None:
    length = 1
    while length < len(_RAW) and view.peek(length) == _RAW[length]:
        length += 1
    if length == len(_RAW):
        return Taken(length)  # What is inside is text.
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
