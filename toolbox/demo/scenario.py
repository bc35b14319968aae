"""What the demo's caller says, and what the brain must have taken it for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One thing the caller says.

    ``interrupts_after_s``: None to wait politely until the agent has finished; otherwise speak once this many seconds
    of the agent's reply were heard. ``listening``: a sign of listening, said over the reply, which must go on.
    """

    text: str
    intent: str = ""
    interrupts_after_s: float | None = None
    listening: bool = False


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
        Line("what is the weather", "weather"),  # takes a while: bridged by a filler
        Line("tell me a story", "story"),
        Line("uh-huh", interrupts_after_s=3.0, listening=True),
        Line("stop please", "stop", interrupts_after_s=4.0),
        Line("goodbye", "farewell"),
    ),
)
