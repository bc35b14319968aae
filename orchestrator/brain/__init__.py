"""The brain: whatever answers the caller, behind an OpenAI-compatible endpoint.

`open_brain` gives a `Brain`; its `reply` streams `BrainEvent`s and is stopped by closing it. Reasoning never comes out.
"""

from orchestrator.brain.contract import (
    Brain,
    BrainEvent,
    BrainRequest,
    Finished,
    Message,
    Role,
    TextDelta,
    ToolCall,
    ToolSpec,
)
from orchestrator.brain.endpoint import EndpointBrain
from orchestrator.brain.errors import BrainError, BrainErrorKind
from orchestrator.brain.history import estimate_tokens, fit_history
from orchestrator.brain.settings import BrainSettings
from servicekit.telemetry import Telemetry

__all__ = [
    "Brain",
    "BrainError",
    "BrainErrorKind",
    "BrainEvent",
    "BrainRequest",
    "BrainSettings",
    "Finished",
    "Message",
    "Role",
    "TextDelta",
    "ToolCall",
    "ToolSpec",
    "estimate_tokens",
    "fit_history",
    "open_brain",
]


def open_brain(settings: BrainSettings, telemetry: Telemetry, section: str = "orchestrator.brain") -> Brain:
    """The brain of these settings, which stand in `section`. Opens no connection yet; `close()` it."""
    return EndpointBrain(settings, telemetry, section)
