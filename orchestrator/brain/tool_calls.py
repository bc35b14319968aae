"""Putting tool calls together from the pieces a stream brings them in."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

from orchestrator.brain.contract import ToolCall

MOST_CALLS: Final = 16
LONGEST_ARGUMENTS: Final = 64 * 1024


@dataclass
class _Pieces:
    key: object
    id: str
    name: str
    arguments: list[str] = field(default_factory=list)
    length: int = 0


class ToolCallCollector:
    """Collects `tool_calls` deltas; bounded in number and length."""

    def __init__(self) -> None:
        self._calls: list[_Pieces] = []
        self._too_many = 0
        self.unreadable = 0

    def push(self, deltas: object) -> None:
        """Take one chunk's `tool_calls`; anything that is not in OpenAI's shape is passed over."""
        if not isinstance(deltas, list):
            return
        for delta in deltas:
            if isinstance(delta, dict):
                self._take(delta)

    def finish(self) -> tuple[list[ToolCall], int]:
        """(calls whose arguments are a JSON object, number of those whose are not), in order; empties the collector."""
        whole: list[ToolCall] = []
        self.unreadable += self._too_many
        for number, pieces in enumerate(self._calls, 1):
            arguments = _object(pieces)
            if arguments is None or not pieces.name:
                self.unreadable += 1
            else:
                whole.append(ToolCall(pieces.id or f"call_{number}", pieces.name, arguments))
        self._calls.clear()
        self._too_many = 0
        return whole, self.unreadable

    def _take(self, delta: dict[str, object]) -> None:
        function = delta.get("function")
        if not isinstance(function, dict):
            function = {}
        name = _string(function.get("name"))
        arguments = function.get("arguments")
        # Some servers send the arguments as an object, not as its text.
        text = arguments if isinstance(arguments, str) else json.dumps(arguments) if arguments is not None else ""
        pieces = self._find(delta.get("index"), _string(delta.get("id")), name)
        if pieces is None:
            return
        pieces.name = pieces.name or name
        pieces.length += len(text)
        if pieces.length <= LONGEST_ARGUMENTS:
            pieces.arguments.append(text)

    def _find(self, index: object, identity: str, name: str) -> _Pieces | None:
        """The call a delta belongs to: by index; some servers number all their calls 0 and tell them apart by id."""
        for pieces in reversed(self._calls):
            same_call = pieces.key == index if index is not None else not name
            if same_call and (not identity or not pieces.id or pieces.id == identity):
                pieces.id = pieces.id or identity
                return pieces
        if len(self._calls) >= MOST_CALLS:
            self._too_many += 1
            return None
        self._calls.append(_Pieces(key=index, id=identity, name=""))
        return self._calls[-1]


def _object(pieces: _Pieces) -> dict[str, object] | None:
    if pieces.length > LONGEST_ARGUMENTS:
        return None
    try:
        value = json.loads("".join(pieces.arguments).strip() or "{}")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
