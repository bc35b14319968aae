"""What markdown puts at the beginnings and ends of lines."""

from __future__ import annotations

import re
from typing import Final

from orchestrator.speech_text.pieces import Taken, View
from orchestrator.speech_text.sentences import SENTENCE_ENDS

BULLETS: Final = "-*+•◦▪●‣·"
_NUMBERED: Final = re.compile(r"(\d{1,3})[.)][ \t]")
_HEADING: Final = re.compile(r"#{1,6}[ \t]")
# The most that must be seen of a line to know what kind it is.
_ENOUGH: Final = 8
_LONGEST_RULE: Final = 200
_RULE_MARKS: Final = frozenset("-*_=|:+ \t")
_DEEPEST_INDENT: Final = 64
# A verdict that there is no marker.
NOTHING: Final = Taken(0)


def line_start(view: View) -> Taken | None:
    """Read a marker at the beginning of a line (blanks before it are read already).

    `NOTHING` when there is none: the ordinary rules apply.
    """
    first = view.text[view.at]
    if first not in "-*_=|:+#>•◦▪●‣·" and not first.isdigit():
        return NOTHING
    ruled = _horizontal_rule(view)
    if ruled is not NOTHING:
        return ruled
    if not _known(view, view.at):
        return None
    rest = view.text[view.at : view.at + _ENOUGH]
    if first == ">":
        view.line_kind = "quote"
        return Taken(1)
    if first == "|":
        view.line_kind = "table"
        return Taken(1)
    if heading := _HEADING.match(rest):
        view.line_kind = "heading"
        return Taken(heading.end())
    if first in BULLETS and rest[1:2] in {" ", "\t"}:
        view.line_kind = "list"
        return Taken(2)
    if numbered := _NUMBERED.match(rest):
        if view.numbers is not None and "." in numbered[0]:
            dated = view.numbers.read(view)  # "3. Mai"
            if dated is None or dated.length > numbered.end():
                return dated
        view.line_kind = "list"
        number = view.numbers.listed(numbered[1]) if view.numbers else numbered[1]
        return Taken(numbered.end(), f"{number}, ")
    return NOTHING


def _horizontal_rule(view: View) -> Taken | None:
    """A line of nothing but dashes, stars or a table's `|---|---|`."""
    end = view.at
    limit = min(len(view.text), view.at + _LONGEST_RULE)
    while end < limit and view.text[end] in _RULE_MARKS:
        end += 1
    length = end - view.at
    if length < _LONGEST_RULE:
        if end == len(view.text) and not view.ended:
            return None
        if end < len(view.text) and view.text[end] != "\n":
            return NOTHING
    marks = view.text[view.at : end].replace(" ", "").replace("\t", "")
    return Taken(length) if len(marks) >= 3 or set(marks) <= {"|", ":"} else NOTHING


def line_end(view: View) -> Taken | None:
    """Read a line break: a blank, or the end of a sentence where the layout says so and the writer did not."""
    if not view.said:
        return Taken(1, " ")
    if view.said in SENTENCE_ENDS:  # Sure already: what follows need not be awaited.
        return Taken(1, " ", breaks=True)
    after = _what_follows(view)
    if after is None:
        return None
    if after == "end":
        return Taken(1, " ")
    if after == "text" and view.line_kind in {"", "quote"}:
        return Taken(1, " ", following="\n")
    return Taken(1, ". " if view.said.isalnum() or view.said in "%°" else " ", breaks=True)


def _what_follows(view: View) -> str | None:
    """What the next line is: "text", "block" (blank, or with a marker), "end"; None while it is not known."""
    at = view.at + 1
    while at < len(view.text) and view.text[at] in " \t\r" and at - view.at <= _DEEPEST_INDENT:
        at += 1
    if at >= len(view.text):
        return "end" if view.ended else None
    first = view.text[at]
    if first == ">" and view.line_kind == "quote":
        return "text"
    if first in "\n>|":
        return "block"
    if first not in "#`~=" and first not in BULLETS and not first.isdigit():
        return "text"
    if not _known(view, at):
        return None
    rest = view.text[at : at + _ENOUGH]
    if (first in BULLETS and rest[1:2] in {" ", "\t"}) or _HEADING.match(rest) or _NUMBERED.match(rest):
        return "block"
    return "block" if rest.startswith(("```", "~~~", "---", "***", "===")) else "text"


def _known(view: View, at: int) -> bool:
    """Whether enough of the line at `at` is there to know its marker."""
    rest = view.text[at : at + _ENOUGH]
    return view.ended or len(rest) == _ENOUGH or "\n" in rest
