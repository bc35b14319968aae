"""What can be set for the instant engines: in the sections of the services whose place they take."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from servicekit.server import DrainSettings
from servicekit.settings import SettingsModel

Milliseconds = Annotated[float, Field(ge=0, le=60_000)]


class InstantSttSettings(SettingsModel):
    """`[stt]` of the instant recogniser."""

    listen: str = "127.0.0.1:50052"
    capacity: Annotated[int, Field(ge=1, le=10_000)] = 256
    transcripts: Annotated[tuple[str, ...], Field(min_length=1)] = ("what time is it",)
    """What it understands, one after another, whatever is said."""
    final_ms: Milliseconds = 0.0
    """From a finalize or finish to its final."""
    partial_every_ms: Annotated[float, Field(ge=20, le=60_000)] = 300.0
    """Audio between two partials; each knows one more word."""
    drain: DrainSettings = DrainSettings()


class InstantTtsSettings(SettingsModel):
    """`[tts]` of the instant voice."""

    listen: str = "127.0.0.1:50053"
    capacity: Annotated[int, Field(ge=1, le=10_000)] = 256
    voice: str = "en"
    """eSpeak NG's name of the voice that is rendered at start."""
    strict: bool = True
    """Refuse voices and languages other than its own; a bench, whose orchestrator is set up for others, does not."""
    first_audio_ms: Milliseconds = 0.0
    """From a segment's text to its first audio."""
    ms_per_character: Annotated[float, Field(gt=0, le=1_000)] = 65.0
    """Length of speech a character of text gets."""
    chunk_ms: Annotated[int, Field(ge=20, le=1_000)] = 200
    """Audio in one message."""
    drain: DrainSettings = DrainSettings()
