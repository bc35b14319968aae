"""Piper's voices on disk: which there are, what they speak, and what is wrong with one that is none."""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from servicekit.logs import get_logger
from servicekit.startup import StartupError
from tts_service.settings import PiperSettings

_LOCALE = re.compile(r"[a-z]{2,3}(?:[_-][A-Z]{2})?")
_KINDS = frozenset({"espeak", "text"})
"""How a voice's texts are pronounced: others need dictionaries that Piper would download."""

_log = get_logger(__name__)


@dataclass(frozen=True)
class VoiceFile:
    """One voice: its files, what its configuration says, its language as BCP 47 and its speakers by name."""

    name: str
    model: Path
    config: dict[str, Any]
    language: str
    speakers: dict[str, int]
    title: str


def how_to_fetch(settings: PiperSettings) -> str:
    """The command of Piper's own that puts a voice where the settings look for it."""
    return f"run `python -m piper.download_voices en_US-lessac-medium --data-dir {settings.voices}`"


def piper_missing(settings: PiperSettings) -> str:
    """Why Piper cannot be used, with the remedy; empty when all it needs is here."""
    if importlib.util.find_spec("piper") is None:
        return "Piper is not installed (install Parley's extra `tts-piper`)"
    if not settings.voices.is_dir() or not any(settings.voices.glob("*.onnx")):
        return f"there is no voice (*.onnx) in {settings.voices} ({how_to_fetch(settings)}, or set tts.piper.voices)"
    return ""


def find_voices(settings: PiperSettings) -> list[VoiceFile]:
    """The voices that can be spoken with, in alphabetical order. Raises StartupError."""
    voices = []
    for model in sorted(settings.voices.glob("*.onnx")):
        voice = _read(model)
        kind = str(voice.config.get("phoneme_type", "espeak"))
        if kind in _KINDS:
            voices.append(voice)
        else:
            _log.warning(f"Piper's voice {voice.name} is left out: it is pronounced by {kind!r}, which is not offered")
    if not voices:
        raise StartupError(f"tts.piper.voices: no voice in {settings.voices} can be used")
    return voices


def _read(model: Path) -> VoiceFile:
    path = model.with_name(f"{model.name}.json")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StartupError(
            f"tts.piper.voices: {path} cannot be read ({type(error).__name__}): each voice is two files, <name>.onnx "
            "and <name>.onnx.json; fetch both again, or remove the voice"
        ) from error
    try:
        language = config.get("language", {})
        code = str(language.get("code") or model.stem.partition("-")[0])
        if not _LOCALE.fullmatch(code):
            code = str(config["espeak"]["voice"])
        speakers = {str(name): int(number) for name, number in config.get("speaker_id_map", {}).items()}
        title = str(config.get("dataset") or model.stem)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise StartupError(f"tts.piper.voices: {path} is not the configuration of a Piper voice") from error
    return VoiceFile(model.stem, model, config, code.replace("_", "-"), speakers, title)
