"""Which rule reads which sign inside a line. A rule waits for as much text as it must see, and for no more."""

from __future__ import annotations

from typing import Final

from orchestrator.speech_text.links import closing_bracket, opening_bracket, source_bracket
from orchestrator.speech_text.pieces import Rule, Taken
from orchestrator.speech_text.signs import (
    backslash,
    bar,
    blank,
    caret,
    colon,
    dollar,
    equals,
    escape,
    exclamation,
    full_stops,
    hyphen,
    number_sign,
    repeated,
    stars,
    tilde,
    underscores,
)
from orchestrator.speech_text.tags import ampersand, greater_than, less_than

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
    "\x1b": escape,
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
    "^": caret,
}
