"""What a reply did with tools, as the history keeps it: the calls, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from orchestrator.brain import Message, ToolCall

# What the brain reads as the answer of a tool of which nothing is known yet: its API wants an answer to every call.
NOT_YET = "Not known yet."


@dataclass(slots=True)
class ToolUse:
    """One tool call and what became of it."""

    call: ToolCall
    result: str = ""
    """In words for the brain; empty while it is not known."""
    told: bool = False
    """Whether the brain that called it was given the result."""

    def message(self) -> Message:
        """The tool's answer as the brain reads it."""
        return Message("tool", self.result or NOT_YET, tool_call_id=self.call.id, name=self.call.name)


@dataclass(slots=True)
class ToolRound:
    """One answer of the brain that called tools: what it said with that, and the calls."""

    text: str
    uses: list[ToolUse] = field(default_factory=list)

    def split(self, said: str) -> tuple[str, str]:
        """(what of ``said`` this round says, the rest), ``said`` being a reply as far as it was heard."""
        text = self.text.strip()
        said = said.lstrip()
        if text.startswith(said):
            return said, ""
        if said.startswith(text):
            return text, said[len(text) :].lstrip()
        return "", said  # Something else was said in the reply's place, such as an apology.

    def messages(self, said: str) -> Iterable[Message]:
        """The answer and the tools' answers, with what was heard of the words."""
        yield Message("assistant", said, tool_calls=tuple(use.call for use in self.uses))
        for use in self.uses:
            yield use.message()

    @property
    def carried_out(self) -> bool:
        """Whether something is known of every call, so that the round must not be forgotten with its reply."""
        return all(use.result for use in self.uses)

    def dump(self) -> dict[str, Any]:
        """For a checkpoint."""
        uses = [
            {"id": u.call.id, "name": u.call.name, "arguments": u.call.arguments, "result": u.result, "told": u.told}
            for u in self.uses
        ]
        return {"text": self.text, "uses": uses}

    @classmethod
    def load(cls, row: dict[str, Any]) -> ToolRound:
        """From a checkpoint.

        Raises:
            ValueError, KeyError, TypeError: it is not what ``dump`` gave.
        """
        return cls(
            str(row["text"]),
            [
                ToolUse(
                    ToolCall(str(use["id"]), str(use["name"]), dict(use["arguments"])),
                    str(use["result"]),
                    bool(use["told"]),
                )
                for use in row["uses"]
            ],
        )
