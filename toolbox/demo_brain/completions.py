"""OpenAI's chat completion format, as far as the demo brain speaks it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from toolbox.demo_brain.intents import Answer

DONE: Final = b"data: [DONE]\n\n"
_CONTEXT_LINE: Final = re.compile(r"^\[.*\]\n\n")
_WORD: Final = re.compile(r"\s*\S+\s*$|\s*\S+")


class BadRequestError(ValueError):
    """The request is not what the format asks for; the text says what."""


def parse_request(body: bytes) -> dict[str, Any]:
    """The request, checked as far as it is used.

    Raises:
        BadRequestError: it is not JSON or not a chat request.
    """
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequestError("the body is not JSON") from error
    if not isinstance(request, dict):
        raise BadRequestError("the body is not a JSON object")
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(message, dict) for message in messages):
        raise BadRequestError("messages must be a list of at least one object")
    if not any(isinstance(message.get("role"), str) for message in messages):
        raise BadRequestError("messages need a role")
    return request


def content_of(message: dict[str, Any]) -> str:
    """A message's text, whether it is a string or a list of parts."""
    content = message.get("content")
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def last_words(messages: list[dict[str, Any]]) -> str:
    """What the user said last, without a line of context in brackets before it."""
    for message in reversed(messages):
        if message.get("role") == "user":
            return _CONTEXT_LINE.sub("", content_of(message))
    return ""


def told_so_far(messages: list[dict[str, Any]]) -> list[str]:
    """The assistant's messages, oldest first."""
    return [content_of(message) for message in messages if message.get("role") == "assistant"]


def offers_tool(request: dict[str, Any], name: str) -> bool:
    """Whether the client lets the model call this tool."""
    tools = request.get("tools")
    return isinstance(tools, list) and any(
        isinstance(tool, dict) and isinstance(tool.get("function"), dict) and tool["function"].get("name") == name
        for tool in tools
    )


def words_of(text: str) -> list[str]:
    """The text in pieces of a word each, with its blanks; joined they are the text."""
    return _WORD.findall(text)


def tool_call(number: int, name: str, arguments: Mapping[str, str]) -> dict[str, Any]:
    """A call of a tool."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"index": 0, "id": f"call_{number}", "type": "function", "function": function}


class Completion:
    """Writes one completion, whole or in chunks; `parley_intent` says in its first chunk what was understood."""

    def __init__(self, number: int, model: str, created: int, answer: Answer, *, with_tool: bool) -> None:
        self._head = {"id": f"chatcmpl-{number}", "created": created, "model": model}
        self._number = number
        self._answer = answer
        self._tool = answer.tool if with_tool else ""

    @property
    def finish_reason(self) -> str:
        """`tool_calls` or `stop`."""
        return "tool_calls" if self._tool else "stop"

    def opening(self) -> bytes:
        """The chunk with the role and the intent."""
        return self._chunk({"role": "assistant", "content": ""}, parley_intent=self._answer.intent)

    def word(self, text: str) -> bytes:
        """A chunk of text."""
        return self._chunk({"content": text})

    def closing(self) -> list[bytes]:
        """The chunks behind the last word."""
        chunks = []
        if self._tool:
            chunks.append(self._chunk({"tool_calls": [self._call()]}))
        chunks.append(self._chunk({}, finish_reason=self.finish_reason))
        chunks.append(DONE)
        return chunks

    def whole(self) -> dict[str, Any]:
        """The completion in one piece."""
        message: dict[str, Any] = {"role": "assistant", "content": self._answer.text}
        if self._tool:
            call = self._call()
            del call["index"]
            message["tool_calls"] = [call]
        return {
            **self._head,
            "object": "chat.completion",
            "parley_intent": self._answer.intent,
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish_reason}],
        }

    def _call(self) -> dict[str, Any]:
        return tool_call(self._number, self._tool, self._answer.arguments)

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None, **extra: str) -> bytes:
        chunk = {
            **self._head,
            "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
            **extra,
        }
        return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"
