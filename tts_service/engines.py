"""Which engine speaks: the one the settings name, or the best one that is here. Only the chosen one is imported."""

from __future__ import annotations

import importlib.util

from servicekit.logs import get_logger
from servicekit.startup import StartupError
from tts_service.settings import KokoroSettings, TtsSettings
from tts_service.speech import Engine
from tts_service.voices import LanguageUnsupportedError, VoiceUnknownError

_log = get_logger(__name__)


def choose_engine(settings: TtsSettings) -> Engine:
    """Load the engine of the settings; blocks while it loads.

    Raises StartupError, with the remedy in its message, when what is named cannot be loaded. `auto` falls back to
    eSpeak NG where Kokoro or its files are *absent*; files that are there and broken are an error, never a fallback.
    """
    name = settings.engine
    if name == "auto":
        missing = kokoro_missing(settings.kokoro)
        if missing:
            _log.warning(
                "Speaking with the embedded voice, eSpeak NG, which sounds robotic: "
                f"{missing}. Set tts.engine to say which engine you want."
            )
            name = "espeak"
        else:
            name = "kokoro"
    try:
        return _load(name, settings)
    except VoiceUnknownError as error:
        raise StartupError(f"tts.voice: {error}") from error
    except LanguageUnsupportedError as error:
        raise StartupError(f"tts.language: {error}") from error


def kokoro_missing(settings: KokoroSettings) -> str:
    """Why Kokoro cannot be used, with the remedy; empty when all it needs is here."""
    if importlib.util.find_spec("kokoro") is None:
        return "Kokoro is not installed (install Parley's extra `tts-kokoro`, on Python 3.11 or 3.12)"
    for setting, path in (("model", settings.model), ("config", settings.config)):
        if not path.is_file():
            return f"Kokoro's {setting} file is not at {path} (put it there or set tts.kokoro.{setting})"
    if not settings.voices.is_dir() or not any(settings.voices.glob("*.pt")):
        return f"there is no Kokoro voice (*.pt) in {settings.voices} (put one there or set tts.kokoro.voices)"
    return ""


def _load(name: str, settings: TtsSettings) -> Engine:
    if name == "kokoro":
        missing = kokoro_missing(settings.kokoro)
        if missing:
            raise StartupError(f'tts.engine is "kokoro", but {missing}.')
        from tts_service.kokoro.engine import KokoroEngine  # noqa: PLC0415 - imports torch

        return KokoroEngine(settings)
    from tts_service.espeak import EspeakError  # noqa: PLC0415
    from tts_service.espeak.engine import EspeakEngine  # noqa: PLC0415

    try:
        return EspeakEngine(settings)
    except EspeakError as error:
        raise StartupError(f"tts.engine is {settings.engine!r}: {error}") from error
