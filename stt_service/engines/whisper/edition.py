"""Which Whisper it is: what an engine on this code says of itself. Imports nothing heavy."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path

from stt_service.settings import WhisperSettings

LIMITATIONS = (
    "Partials come from decoding the utterance again as it grows: on a busy machine they come late or not at all.",
)


@dataclass(frozen=True, slots=True)
class Edition:
    """A model's own part of GetInfo."""

    name: str
    """Of the engine."""
    version: str
    model: str
    languages: tuple[str, ...] = ()
    """BCP 47 languages that it understands; empty means all that its tokenizer names."""
    punctuation: bool = True
    prompted: bool = True
    """Whether it understands better for being told what was said before, and which words to expect."""
    limitations: tuple[str, ...] = ()
    """Beside :data:`LIMITATIONS`."""

    @classmethod
    def of(cls, settings: WhisperSettings) -> Edition:
        """Any Whisper that the settings name."""
        return cls("faster-whisper", importlib.metadata.version("faster-whisper"), Path(settings.model).name)
