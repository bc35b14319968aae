"""What the conversation asks of a brain, and what a brain gives back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from opentelemetry.context import Context

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model wants a tool to be used.

    Emitted once per call, when its arguments are whole and are a JSON object; `arguments` is that object.
    """

    id: str
    name: str
    arguments: dict[str, object]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the conversation, as OpenAI's chat API knows it.

    `tool_calls` belongs to an assistant's message, `tool_call_id` to the tool's answer. `name` is optional everywhere.
    """

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool that the model may call; `parameters` is the JSON schema of its arguments."""

    name: str
    description: str
    parameters: Mapping[str, object] = field(default_factory=lambda: {"type": "object", "properties": {}})


@dataclass(frozen=True, slots=True)
class BrainRequest:
    """One question to the brain.

    Attributes:
        messages: the whole conversation, oldest first, ending with what is to be answered. A stateful brain is sent
            the newest turn alone; that choice is the client's, not the caller's.
        call_id: the call; a stateful brain's session key.
        turn_id: the turn, for traces.
        tools: what the model may call.
        context_line: one short line telling a *stateful* brain what the caller heard of its last answer, or that a
            turn was reopened. A stateless brain reads that in the history, so there it is not sent.
        parent: parent of the request's span; the current context when None.
    """

    messages: tuple[Message, ...]
    call_id: str
    turn_id: int
    tools: tuple[ToolSpec, ...] = ()
    context_line: str = ""
    parent: Context | None = None


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer: never empty, never reasoning; the first one begins with no white space."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is complete, or as complete as it will be.

    `reason` is the endpoint's own (`stop`, `length`, `tool_calls`, …), or `max_chars` when the reply was cut at
    `max_reply_chars`, or `incomplete` when the stream ended without saying why.
    """

    reason: str


BrainEvent: TypeAlias = TextDelta | ToolCall | Finished


class Brain(Protocol):
    """Something that answers."""

    @property
    def name(self) -> str:
        """The model's name."""

    @property
    def speculation_safe(self) -> bool:
        """Whether it may be asked a question that is perhaps thrown away: it keeps no history and acts on nothing."""

    async def warm(self) -> None:
        """Make the first answer come sooner. Bounded in time, cheap to repeat, never raises (except cancellation)."""

    def reply(self, request: BrainRequest) -> AsyncGenerator[BrainEvent, None]:
        """Answer. The last event is `Finished`.

        Close the generator (or cancel the task that waits in it) to stop: the endpoint sees its socket closed at
        once. The caller watches for the first content and for gaps; the generator has a hard total limit of its own.

        Raises:
            BrainError: nothing more will come. Text that was delivered before stands.
        """

    async def close(self) -> None:
        """Give up the connections. Replies still running fail."""
