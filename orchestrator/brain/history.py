"""Making a conversation fit the model's context."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Final

from orchestrator.brain.contract import Message, ToolSpec

# Role markers and separators of the chat templates in use cost 3 to 7 tokens a message.
_PER_MESSAGE: Final = 8
_LETTERS = re.compile(r"[A-Za-z ]+")


def estimate_tokens(text: str) -> int:
    """How many tokens a text costs at most, roughly: a safe guess for any tokenizer, with no vocabulary at hand.

    ASCII letters and blanks count 3 a token (English runs at 4 to 5), other ASCII (digits, marks, which some
    vocabularies split singly) 1 a token, and every other code point half its UTF-8 length (1 for Cyrillic or
    umlauts, 1.5 for Han, 2 for emoji). Overestimates by about a half: forgetting an old turn early costs little, a
    request refused for its length costs the turn.
    """
    runs = sum(len(run) for run in _LETTERS.findall(text))
    other_ascii = sum(1 for character in text if character < "\x80") - runs
    beyond = sum(len(character.encode("utf-8", "replace")) for character in text if character >= "\x80")
    return (runs + 2) // 3 + other_ascii + (beyond + 1) // 2


def message_tokens(message: Message) -> int:
    """The estimate for one message with its tool calls."""
    calls = sum(
        _PER_MESSAGE + estimate_tokens(call.name) + estimate_tokens(json.dumps(call.arguments))
        for call in message.tool_calls
    )
    return _PER_MESSAGE + estimate_tokens(message.content) + calls


def tools_tokens(tools: Sequence[ToolSpec]) -> int:
    """The estimate for the tools' descriptions."""
    return sum(
        _PER_MESSAGE + estimate_tokens(tool.name + tool.description + json.dumps(dict(tool.parameters)))
        for tool in tools
    )


def fit_history(messages: Sequence[Message], max_tokens: int) -> tuple[Message, ...]:
    """Drop the oldest turns, whole, until the rest is estimated to fit into `max_tokens`.

    System messages stay, in place. The newest turn stays even if it alone is too long: the question must be asked.
    A turn is what the caller said and all that followed from it, so that no tool's answer loses its call.
    """
    system = [message for message in messages if message.role == "system"]
    turns = split_turns(messages)
    left = max_tokens - sum(map(message_tokens, system))
    kept: list[list[Message]] = []
    for turn in reversed(turns):
        left -= sum(map(message_tokens, turn))
        if kept and left < 0:
            break
        kept.append(turn)
    wanted = {id(message) for turn in kept for message in turn}
    return tuple(message for message in messages if message.role == "system" or id(message) in wanted)


def split_turns(messages: Sequence[Message]) -> list[list[Message]]:
    """The conversation in turns, without system messages; a greeting before the caller's first words is one too."""
    turns: list[list[Message]] = []
    previous = ""
    for message in messages:
        if message.role == "system":
            continue
        # Words joined to a reopened turn follow one another and belong together.
        if not turns or (message.role == "user" and previous != "user"):
            turns.append([])
        turns[-1].append(message)
        previous = message.role
    return turns


def fold_opening(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Tell what the agent said before the caller's first words in the system message, instead of as a message.

    Many chat templates want user and assistant by turns, the user first, and refuse a conversation that begins
    otherwise; a greeting does.
    """
    spoken = [message for message in messages if message.role != "system"]
    opening = list(takewhile(lambda message: message.role == "assistant" and not message.tool_calls, spoken))
    if not opening:
        return tuple(messages)
    told = f"You opened the call with: {' '.join(message.content for message in opening)}"
    system = [message for message in messages if message.role == "system"]
    first = Message("system", f"{system[0].content}\n\n{told}" if system else told)
    folded = {id(message) for message in (*system[:1], *opening)}
    return (first, *(message for message in messages if id(message) not in folded))


def newest_turn(messages: Sequence[Message], context_line: str = "") -> tuple[Message, ...]:
    """What a brain that remembers the rest must be sent: the system messages and the newest turn.

    `context_line` goes before the caller's words, in brackets, so that the brain's own history keeps it with them.
    Where tools have answered last, only that is new, with the calls they answer: the question was sent before.
    """
    system = tuple(message for message in messages if message.role == "system")
    spoken = [message for message in messages if message.role != "system"]
    answers = len(list(takewhile(lambda message: message.role == "tool", reversed(spoken))))
    if answers:
        return (*system, *spoken[-answers - 1 :])
    turns = split_turns(messages)
    turn = turns[-1] if turns else []
    if context_line and turn:
        first = turn[0]
        content = f"[{' '.join(context_line.split())}]\n\n{first.content}"
        turn = [Message(role=first.role, content=content, name=first.name), *turn[1:]]
    return (*system, *turn)
