"""The embedded Whisper: five megabytes, trained by `make embedded-whisper` on eSpeak NG over a telephone line.

It knows several hundred words of everyday English and some German, as they are said to an assistant, and is decoded by
the same code as a Whisper of any size.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Final

from stt_service.engines.whisper.edition import Edition
from stt_service.settings import SttSettings

MODEL: Final = Path(__file__).parent / "model"
EDITION: Final = Edition(
    name="embedded",
    version="1",
    model="Whisper of 3.7 million weights, trained on eSpeak NG",
    languages=("de", "en"),
    punctuation=False,
    prompted=False,
    limitations=(
        "It knows several hundred words of English and some of German; others are left out or mistaken for these.",
        "It was trained on synthetic voices: people will often be misunderstood.",
        "Prompts and hotwords do not reach it.",
    ),
)
_FITTING: Final = {"shortest_window_s": 6.0, "trim_after_s": 5.0, "log_prob_threshold": -0.5}
"""It was trained on short windows mostly, and in long ones goes astray. Of 240 texts of the examination none that was
right was as unlikely as this; all that it wrote of strange words were."""


def embedded_missing() -> str:
    """Why it cannot be used, with the remedy; empty when it can. Imports nothing heavy."""
    if importlib.util.find_spec("faster_whisper") is None:
        return "faster-whisper, which decodes it, is not installed (install Parley's extra `stt-whisper`)"
    return ""


def settings_for(settings: SttSettings) -> SttSettings:
    """The settings of the service with this model in the place of another Whisper, for which theirs are meant."""
    own: dict[str, object] = {"model": str(MODEL), "device": "cpu", "compute_type": "int8"}
    own |= {name: value for name, value in _FITTING.items() if name not in settings.whisper.model_fields_set}
    return settings.model_copy(update={"whisper": settings.whisper.model_copy(update=own)})
