"""What the demo's caller says, and what the brain must have taken it for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One thing the caller says.

    ``interrupts_after_s``: None to wait politely until the agent has finished; otherwise speak once this many seconds
    of the agent's reply were heard.
    """

    text: str
    intent: str
    interrupts_after_s: float | None = None


@dataclass(frozen=True)
class Scenario:
    """One call."""

    greeting: str
    lines: tuple[Line, ...]


CALL = Scenario(
    greeting="Hello, this is Parley. What can I do for you?",
    lines=(
        Line("what time is it", "time"),
        Line("what is seven plus five", "arithmetic"),
        Line("how are you", "small_talk"),
        Line("tell me a story", "story"),
        Line("stop please", "stop", interrupts_after_s=4.0),
        Line("goodbye", "farewell"),
    ),
)
