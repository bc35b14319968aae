"""What the caller wants, and what the demo brain says to it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, TypeAlias

from toolbox.demo_brain.clock_words import time_in_words
from toolbox.demo_brain.numbers import find_sum
from toolbox.demo_brain.story import LEAD_IN, STORY, rest_of_story

Intent: TypeAlias = Literal[
    "time", "arithmetic", "small_talk", "story", "weather", "transfer", "stop", "farewell", "tool_result", "unknown"
]
END_CALL: Final = "end_call"
TRANSFER_CALL: Final = "transfer_call"

_FAREWELL: Final = re.compile(r"\b(good ?bye|bye|bye bye|hang up|see you)\b")
_GO_ON: Final = re.compile(r"\b(go on|continue|carry on|keep going|where were we|tell me more)\b")
_STOP: Final = re.compile(r"\b(stop|wait|hold on|be quiet|enough|shut up|hang on)\b")
_NO: Final = re.compile(r"(no|no no|nope|no thanks|no thank you)")
_STORY: Final = re.compile(r"\b(story|stories|tale)\b")
_WEATHER: Final = re.compile(r"\b(weather|forecast)\b")
# Whoever they name is asked for, allowed or not: to judge that is the client's part, as with any model.
_TRANSFER: Final = re.compile(
    r"\b(?:(?:transfer|connect|pass) me (?:on )?(?:to|with)|put me through to|(?:talk|speak) (?:to|with)) (?!you\b)"
    r"(?:the |a |an )?(?P<target>\S.*?)(?: please)?$"
)
_TIME: Final = re.compile(r"\b(time|clock|o ?clock)\b")
_SMALL_TALK: Final = (
    (re.compile(r"\bhow (are|do) you\b"), "I am very well, thank you for asking. How can I help you?"),
    (re.compile(r"\b(your name|who are you|what are you)\b"), "My name is Parley. I am the demonstration assistant."),
    (re.compile(r"\bthank(s| you)\b"), "You are very welcome. Is there anything else?"),
    (re.compile(r"\bgood (morning|afternoon|evening)\b"), "Good day to you. What can I do for you?"),
    (re.compile(r"\b(hello|hi|hey|good day)\b"), "Hello there, nice to hear you. What can I do for you?"),
)
_UNKNOWN: Final = "I am sorry, I did not understand that. You can ask me for the time, for a sum, or for a story."


@dataclass(frozen=True, slots=True)
class Answer:
    """What to say, and why."""

    intent: Intent
    text: str
    tool: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    """Of the tool."""
    without_tool: str = ""
    """What to say where the tool is not offered, if it is something else."""


def answer(said: str, told: Sequence[str], now: datetime) -> Answer:
    """Answer the caller's words.

    Args:
        said: the caller's last words, as a recogniser writes them.
        told: the assistant's earlier messages, oldest first: what the caller heard of them.
        now: the time where the caller is.
    """
    plain = " ".join(re.findall(r"[a-z0-9]+", said.lower().replace("'s", " is").replace("'", "")))
    if _FAREWELL.search(plain):
        return Answer("farewell", "It was a pleasure talking to you. Goodbye!", END_CALL)
    if _GO_ON.search(plain):
        return _go_on(told)
    if (wanted := _TRANSFER.search(plain)) is not None:
        return Answer(
            "transfer",
            "One moment, I will put you through.",
            TRANSFER_CALL,
            {"target": wanted["target"]},
            without_tool="I am sorry, I cannot pass your call on from here.",
        )
    if _STORY.search(plain) and not _STOP.search(plain):
        return Answer("story", STORY)
    if (found := find_sum(said)) is not None:
        return Answer("arithmetic", found.answer())
    if _STOP.search(plain) or _NO.fullmatch(plain):
        return Answer("stop", "Okay, I stopped. What else can I do?")
    if _WEATHER.search(plain):
        return Answer("weather", "I have looked, but no weather report is connected to this demonstration.")
    if _TIME.search(plain):
        return Answer("time", time_in_words(now))
    for pattern, reply in _SMALL_TALK:
        if pattern.search(plain):
            return Answer("small_talk", reply)
    return Answer("unknown", _UNKNOWN)


def answer_to_tool(result: str) -> Answer:
    """What to say when a tool has answered."""
    if "refused" in result.lower() or "fail" in result.lower():
        return Answer("tool_result", "I am sorry, that is not possible.")
    return Answer("tool_result", "All right.")


def _go_on(told: Sequence[str]) -> Answer:
    rest = rest_of_story(list(told))
    if rest is None:
        return Answer("unknown", "I have nothing to go on with yet. Shall I tell you a story?")
    if not rest:
        return Answer("story", "That was the whole story already. Shall I tell it again?")
    return Answer("story", LEAD_IN + rest)
