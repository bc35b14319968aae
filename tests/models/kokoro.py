"""A small Kokoro model with random weights, in the files that the Kokoro project publishes: it hums, but it runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolbox.bench.tts.random_kokoro import SMALLEST, config_of, write_kokoro
from tts_service.settings import KokoroSettings

CONFIG = config_of(SMALLEST)
# Durations are never shorter than a frame.
_LEAST_FRAMES = 1e-6


@dataclass(frozen=True)
class KokoroFiles:
    """Where the model lies."""

    model: Path
    config: Path
    voices: Path

    def settings(self, **changes: Any) -> KokoroSettings:
        """Settings that name the files."""
        return KokoroSettings(
            **{"model": self.model, "config": self.config, "voices": self.voices, "device": "cpu", **changes}
        )


def build_kokoro(
    folder: Path, voices: tuple[str, ...] = ("af_heart", "ef_dora"), *, brisk: bool = False
) -> KokoroFiles:
    """Write a model, its configuration and voices into a folder: 117 MB, a few seconds.

    Random weights speak slowly, a third of a second a phoneme; ``brisk`` ones take the least that the model can.
    """
    files = write_kokoro(folder, SMALLEST, voices=voices, frames_a_phoneme=_LEAST_FRAMES if brisk else None)
    return KokoroFiles(files.model, files.config, files.voices)
