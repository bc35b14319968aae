"""What the brain's tests share: settings for a server under test, and a whole reply."""

from __future__ import annotations

import asyncio
from typing import Any

from orchestrator.brain import (
    Brain,
    BrainEvent,
    BrainRequest,
    BrainSettings,
    Finished,
    Message,
    TextDelta,
    ToolCall,
    ToolSpec,
    open_brain,
)
from servicekit.telemetry import Telemetry

END_CALL = ToolSpec("end_call", "Hang up.")


def brain_at(base_url: str, telemetry: Telemetry | None = None, **settings: Any) -> Brain:
    """A brain with neutral settings, but for those given."""
    values: dict[str, Any] = {"preset": "none", "base_url": base_url, "model": "fake", **settings}
    return open_brain(BrainSettings(**values), telemetry or Telemetry("test"))


def question(said: str = "What time is it?", **fields: Any) -> BrainRequest:
    """One question without history."""
    return BrainRequest(messages=(Message("user", said),), call_id="call-1", turn_id=1, **fields)


async def whole_reply(brain: Brain, request: BrainRequest | None = None) -> list[BrainEvent]:
    """All events of a reply; ten seconds at most, so that a hanging test fails."""
    async with asyncio.timeout(10):
        return [event async for event in brain.reply(request or question())]


def text_of(events: list[BrainEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def calls_of(events: list[BrainEvent]) -> list[ToolCall]:
    return [event for event in events if isinstance(event, ToolCall)]


def reason_of(events: list[BrainEvent]) -> str:
    last = events[-1]
    assert isinstance(last, Finished)
    return last.reason
