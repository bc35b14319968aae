"""Which engine listens: the one the settings name, or the best one that is here. Only the chosen one is imported."""

from __future__ import annotations

import importlib.util

from servicekit.logs import get_logger
from servicekit.startup import StartupError
from servicekit.telemetry import Telemetry
from stt_service.engines.embedded import EDITION, embedded_missing
from stt_service.engines.embedded import settings_for as embedded_settings
from stt_service.engines.interface import Engine
from stt_service.engines.moonshine.files import moonshine_missing
from stt_service.engines.whisper.files import whisper_missing
from stt_service.settings import EngineName, SttSettings

_log = get_logger(__name__)


def choose_engine(settings: SttSettings, telemetry: Telemetry | None = None) -> Engine:
    """The engine of the settings, not yet open.

    Raises StartupError, with the remedy in its message, when what is named is not here. `auto` falls back to what is
    embedded where faster-whisper or its model is *absent*; a model that is there and broken is an error, never a
    fallback.
    """
    name = settings.engine
    if name == "auto":
        name = _automatic(settings)
    if name == "faster-whisper":
        missing = whisper_missing(settings.whisper)
        if missing:
            raise StartupError(f'stt.engine is "faster-whisper", but {missing}.')
        from stt_service.engines.whisper.engine import WhisperEngine  # noqa: PLC0415 - imports CTranslate2

        return WhisperEngine(settings, telemetry)
    if name == "embedded":
        missing = embedded_missing()
        if missing:
            raise StartupError(f'stt.engine is "embedded", but {missing}.')
        from stt_service.engines.whisper.engine import WhisperEngine  # noqa: PLC0415 - imports CTranslate2

        return WhisperEngine(embedded_settings(settings), telemetry, edition=EDITION)
    if name == "moonshine":
        missing = moonshine_missing(settings.moonshine)
        if missing:
            raise StartupError(f'stt.engine is "moonshine", but {missing}.')
        from stt_service.engines.moonshine.engine import MoonshineEngine  # noqa: PLC0415 - loads its library

        return MoonshineEngine(settings)
    if name == "openai":
        if importlib.util.find_spec("httpx") is None:
            raise StartupError(
                'stt.engine is "openai", but httpx is not installed (install Parley\'s extra `stt-openai`).'
            )
        from stt_service.engines.openai_compatible.engine import OpenAiCompatibleEngine  # noqa: PLC0415

        return OpenAiCompatibleEngine(settings)
    if importlib.util.find_spec("pocketsphinx") is None:
        raise StartupError(
            f"stt.engine is {settings.engine!r}, but pocketsphinx is not installed (install Parley's extra `stt`)."
        )
    from stt_service.engines.pocketsphinx.engine import PocketsphinxEngine  # noqa: PLC0415 - imports pocketsphinx

    return PocketsphinxEngine(settings)


def _automatic(settings: SttSettings) -> EngineName:
    """The best engine that is here; a warning where that is one for trying Parley out."""
    missing = whisper_missing(settings.whisper)
    if not missing:
        return "faster-whisper"
    name: EngineName = "pocketsphinx" if embedded_missing() else "embedded"
    knows = "the demo's sentences" if name == "pocketsphinx" else "several hundred words"
    _log.warning(
        f"Listening with the recogniser {name!r}, which understands {knows} only: {missing}. Set stt.engine to say "
        "which engine you want."
    )
    return name
