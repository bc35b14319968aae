"""Which engine speaks: the one the settings name, or the best one that is here. Only the chosen one is imported."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

from servicekit.logs import get_logger
from servicekit.startup import StartupError
from tts_service.kokoro.loading import how_to_fetch
from tts_service.piper.files import piper_missing
from tts_service.settings import FallbackName, KokoroSettings, TtsSettings
from tts_service.speech import Engine
from tts_service.voices import LanguageUnsupportedError, VoiceUnknownError

_log = get_logger(__name__)


async def open_engine(settings: TtsSettings) -> Engine:
    """The engine of the settings, loaded and open, with those that stand in for it. Raises as :func:`choose_engine`."""
    main = await _opened(settings)
    fallback = settings.fallback
    if settings.engine == "auto":
        # Nobody chose the engine that it came to: where that is a stand-in too, there is nothing to stand in for.
        fallback = {language: name for language, name in fallback.items() if name != main.info.name}
    if not fallback:
        return main
    from tts_service.standing_in import EngineWithStandIns  # noqa: PLC0415

    others: dict[str, Engine] = {}
    try:
        for name in sorted(set(fallback.values())):
            own = _for_stand_in(settings, name, main.info.name)
            others[name] = await _opened(own, blame=f"tts.fallback, {name} in {own.language!r}")
        return EngineWithStandIns(main, others, fallback)
    except BaseException:
        for engine in (main, *others.values()):
            await engine.close()
        raise


def choose_engine(settings: TtsSettings) -> Engine:
    """Load the engine of the settings, not yet open; blocks while it loads.

    Raises StartupError, with the remedy in its message, when what is named cannot be loaded. `auto` falls back to
    eSpeak NG where Kokoro or its files are *absent*; files that are there and broken are an error, never a fallback.
    """
    with _named_settings():
        return _chosen(settings)


def kokoro_missing(settings: KokoroSettings) -> str:
    """Why Kokoro cannot be used, with the remedy; empty when all it needs is here."""
    if importlib.util.find_spec("kokoro") is None:
        return "Kokoro is not installed (install Parley's extra `tts-kokoro`, on Python 3.11 or 3.12)"
    fetch = how_to_fetch(settings)
    for setting, path in (("model", settings.model), ("config", settings.config)):
        if not path.is_file():
            return f"Kokoro's {setting} file is not at {path} ({fetch}, or set tts.kokoro.{setting})"
    if not settings.voices.is_dir() or not any(settings.voices.glob("*.pt")):
        return f"there is no Kokoro voice (*.pt) in {settings.voices} ({fetch}, or set tts.kokoro.voices)"
    return ""


async def _opened(settings: TtsSettings, *, blame: str = "") -> Engine:
    with _named_settings(blame):
        engine = await asyncio.to_thread(_chosen, settings)
        await engine.open()
    return engine


def _for_stand_in(settings: TtsSettings, name: FallbackName, main: str) -> TtsSettings:
    """The settings of an engine that stands in: it has neither the main one's voice nor, perhaps, its language."""
    if name == main:
        raise StartupError(f"tts.fallback: {name!r} is the engine that it would stand in for; name another")
    languages = [language for language, engine in settings.fallback.items() if engine == name and language != "*"]
    # Where it stands in for all, English is what nearly every one of them speaks.
    return settings.model_copy(
        update={"engine": name, "voice": "", "language": languages[0] if languages else "en", "fallback": {}}
    )


@contextmanager
def _named_settings(blame: str = "") -> Iterator[None]:
    """Name the setting that asks for what an engine has not; `blame` for an engine that stands in."""
    try:
        yield
    except StartupError as error:
        if not blame:
            raise
        raise StartupError(f"{blame}: {error}") from error
    except VoiceUnknownError as error:
        raise StartupError(f"{blame or 'tts.voice'}: {error}") from error
    except LanguageUnsupportedError as error:
        raise StartupError(f"{blame or 'tts.language'}: {error}") from error


def _chosen(settings: TtsSettings) -> Engine:
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
    return _load(name, settings)


def _load(name: str, settings: TtsSettings) -> Engine:
    if name == "kokoro":
        missing = kokoro_missing(settings.kokoro)
        if missing:
            raise StartupError(f'tts.engine is "kokoro", but {missing}.')
        from tts_service.kokoro.engine import KokoroEngine  # noqa: PLC0415 - imports torch

        return KokoroEngine(settings)
    if name == "piper":
        missing = piper_missing(settings.piper)
        if missing:
            raise StartupError(f'tts.engine is "piper", but {missing}.')
        from tts_service.piper.engine import PiperEngine  # noqa: PLC0415 - imports ONNX Runtime

        return PiperEngine(settings)
    if name == "openai":
        _require(name, {"httpx": "httpx", "av": "PyAV"}, "tts-openai")
        from tts_service.openai_compatible.engine import OpenAiCompatibleEngine  # noqa: PLC0415

        return OpenAiCompatibleEngine(settings)
    if name == "edge-tts":
        _require(name, {"edge_tts": "edge-tts", "av": "PyAV"}, "tts-edge")
        from tts_service.edge.engine import EdgeEngine  # noqa: PLC0415

        return EdgeEngine(settings)
    from tts_service.espeak import EspeakError  # noqa: PLC0415
    from tts_service.espeak.engine import EspeakEngine  # noqa: PLC0415

    try:
        return EspeakEngine(settings)
    except EspeakError as error:
        raise StartupError(f"tts.engine is {settings.engine!r}: {error}") from error


def _require(name: str, modules: dict[str, str], extra: str) -> None:
    missing = [called for module, called in modules.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise StartupError(
            f"tts.engine is {name!r}, but {' and '.join(missing)} not installed (install Parley's extra `{extra}`)."
        )
