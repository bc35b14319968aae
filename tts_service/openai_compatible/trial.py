"""Proving, at the start, that a server speaks, and finding out what it has and how it is best asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from servicekit.startup import StartupError
from tts_service.edges import AUDIBLE
from tts_service.openai_compatible.client import Question, SlowError, SpeechClient, StatusError, UnreachableError
from tts_service.openai_compatible.voices import LISTS, ListedVoice, read_list
from tts_service.settings import AudioFormatName, OpenAiServerSettings
from tts_service.sound.sniffing import Kind
from tts_service.speech import EngineError

TEXT = "One moment."
_MOST_NAMED = 6
_REFUSED = frozenset({400, 404, 406, 415, 422, 500, 501})
"""How servers refuse a format: openai-edge-tts fails with 500."""
_PREFERRED = ("pcm", "mp3", "wav", "flac", "opus")
_FORMAT_OF: Mapping[Kind, AudioFormatName] = {"raw": "pcm", "wav": "wav", "mp3": "mp3", "flac": "flac", "ogg": "opus"}


@dataclass(frozen=True)
class Heard:
    """What a trial brought: its samples, what they came as, and at which rate."""

    samples: NDArray[np.float32]
    kind: Kind
    rate_hz: int


@dataclass(frozen=True)
class Found:
    """How the server is asked from now on, and what it then sends."""

    audio_format: AudioFormatName
    kind: Kind
    pcm_rate_hz: int


Speak = Callable[[Question, int], Awaitable[Heard]]
"""Has a question spoken whole, headerless samples taken to be at the rate given. Raises EngineError."""


async def find_voices(client: SpeechClient, settings: OpenAiServerSettings) -> list[ListedVoice]:
    """The voices that the server lists; none where it has no list. Raises StartupError."""
    try:
        for path in LISTS:
            voices = read_list(await client.listed(path, settings.start_timeout_s))
            if voices:
                return voices
    except EngineError as error:
        raise _refusal(error, settings, "") from error
    return []


async def find_model(client: SpeechClient, settings: OpenAiServerSettings) -> str:
    """The model to ask for. Raises StartupError."""
    if settings.model:
        return settings.model
    try:
        found = await client.listed("/models", settings.start_timeout_s)
    except EngineError as error:
        raise _refusal(error, settings, "") from error
    listed = _models(found)
    if len(listed) == 1:
        return listed[0]
    if not listed or "tts-1" in listed:
        return "tts-1"
    few = ", ".join(name[:80] for name in listed[:_MOST_NAMED]) + (", …" if len(listed) > _MOST_NAMED else "")
    raise StartupError(f"tts.openai.model: the speech server at {settings.where} has several models; name one of {few}")


async def find_format(speak: Speak, settings: OpenAiServerSettings, voice: str, speed: float) -> Found:
    """Have two words spoken, in the formats that the settings allow until one is. Raises StartupError."""

    async def heard(audio_format: str) -> Heard:
        question = Question(TEXT, voice, audio_format, speed, patience_s=settings.start_timeout_s)
        return await speak(question, settings.pcm_rate_hz)

    formats = _PREFERRED if settings.audio_format == "auto" else (settings.audio_format,)
    for audio_format in formats:
        try:
            first = await heard(audio_format)
        except StatusError as error:
            if error.status in _REFUSED and audio_format != formats[-1]:
                continue
            raise _refusal(error, settings, voice) from error
        except EngineError as error:
            raise _refusal(error, settings, voice) from error
        if not len(first.samples) or float(np.abs(first.samples).max()) < AUDIBLE:
            raise StartupError(
                f"tts.openai.base_url: the speech server at {settings.where} sends silence for {voice!r}; see its own "
                "log, or set tts.voice"
            )
        rate_hz = settings.pcm_rate_hz
        if first.kind == "raw":
            rate_hz = await _rate_of_wav(heard, rate_hz, first.rate_hz)
        # What it sends whatever it is asked for, it is asked for: it would only convert.
        best = audio_format if settings.audio_format != "auto" else _FORMAT_OF.get(first.kind, audio_format)
        return Found(best, first.kind, rate_hz)  # type: ignore[arg-type]  # names of formats, all of them
    raise AssertionError("the last format is spoken or refused")


async def _rate_of_wav(heard: Callable[[str], Awaitable[Heard]], configured_hz: int, told_hz: int) -> int:
    """The rate of headerless samples: as their media type told, else as the header of the same voice's WAV does."""
    if told_hz != configured_hz:
        return told_hz
    try:
        wav = await heard("wav")
    except EngineError:
        return configured_hz
    return wav.rate_hz if wav.kind == "wav" else configured_hz


def _models(found: Any) -> list[str]:
    listed = found.get("data", found.get("models")) if isinstance(found, dict) else None
    if not isinstance(listed, list):
        return []
    return [item["id"] for item in listed if isinstance(item, dict) and isinstance(item.get("id"), str)]


def _refusal(error: EngineError, settings: OpenAiServerSettings, voice: str) -> StartupError:
    if isinstance(error, UnreachableError):
        return StartupError(f"tts.openai.base_url: {error}; start it, or set the address it listens on")
    if isinstance(error, SlowError):
        return StartupError(f"tts.openai.base_url: {error}; is it overloaded, or still loading its model?")
    status = error.status if isinstance(error, StatusError) else 0
    if status in {401, 403}:
        return StartupError(f"tts.openai.api_key: {error}: it wants another key; set it, or api_key_file")
    if status in {404, 405}:
        return StartupError(f"tts.openai.base_url: {error} to /v1/audio/speech: it speaks elsewhere or not at all")
    if status in {400, 422}:
        return StartupError(
            f"tts.openai.model: {error} for the model {settings.model or 'it has'!r} and the voice {voice!r}; set it, "
            "or tts.voice; its own log says what it did not like"
        )
    return StartupError(f"tts.openai.base_url: {error}; see the server's own log, or set tts.openai.audio_format")
