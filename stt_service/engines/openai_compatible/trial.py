"""Proving, at the start, that a server transcribes, and finding out how it answers."""

from __future__ import annotations

import numpy as np

from servicekit.audio import to_int16
from servicekit.startup import StartupError
from stt_service.engines.interface import EngineError
from stt_service.engines.openai_compatible.client import (
    Question,
    SlowError,
    StatusError,
    TranscriptionClient,
    UnreachableError,
)
from stt_service.engines.openai_compatible.wav import wav_of
from stt_service.settings import OpenAiServerSettings

_MOST_NAMED = 6


async def try_out(client: TranscriptionClient, settings: OpenAiServerSettings, *, rate_hz: int) -> tuple[bool, bool]:
    """Have a second of noise transcribed; whether the server answers in verbose form, and takes the wish for words.

    Settles the model where the settings name none. Raises StartupError that names the setting to mend.
    """
    listed: list[str] | None = None
    try:
        listed = await client.models(settings.timeout_s)
    except EngineError as error:
        raise _refusal(error, settings, listed) from error
    if not settings.model and listed:
        if len(listed) > 1:
            raise StartupError(
                f"stt.openai.model: the transcription server at {settings.where} has several models; name one of "
                f"{_named(listed)}"
            )
        client.use_model(listed[0])
    noise = np.random.default_rng(0).standard_normal(rate_hz).astype(np.float32) * np.float32(0.01)
    wav = wav_of([to_int16(noise).tobytes()], rate_hz)
    forms = {
        "auto": ((True, True), (True, False), (False, False)),
        "verbose_json": ((True, True), (True, False)),
        "json": ((False, False),),
    }[settings.answer_format]
    for verbose, words in forms:
        question = Question(wav, verbose=verbose, word_times=words, timeout_s=settings.recording_timeout_s)
        try:
            await client.ask(question)
        except StatusError as error:
            # vLLM refuses forms that its model lacks with 400, others with 422; older Speaches fail an assertion.
            if error.status in {400, 422, 500} and (verbose, words) != forms[-1]:
                continue
            raise _refusal(error, settings, listed) from error
        except EngineError as error:
            raise _refusal(error, settings, listed) from error
        return verbose, words
    raise AssertionError("the last form is answered or refused")


def _refusal(error: EngineError, settings: OpenAiServerSettings, listed: list[str] | None) -> StartupError:
    if isinstance(error, UnreachableError):
        return StartupError(f"stt.openai.base_url: {error}; start it, or set the address it listens on")
    if isinstance(error, SlowError):
        return StartupError(f"stt.openai.base_url: {error}; is it overloaded, or still loading its model?")
    status = error.status if isinstance(error, StatusError) else 0
    if status in {401, 403}:
        return StartupError(f"stt.openai.api_key: {error}: it wants another key; set it, or api_key_file")
    if status == 404 and listed is None:
        return StartupError(
            f"stt.openai.base_url: {error} to /v1/audio/transcriptions: it serves transcriptions elsewhere or not at "
            "all (start whisper.cpp's server with --inference-path /v1/audio/transcriptions)"
        )
    if status in {400, 404, 422} and listed is not None:
        there = f"it lists {_named(listed)}" if listed else "it lists none; load one there"
        return StartupError(f"stt.openai.model: {error} for the model {settings.model or 'it has'!r}; {there}")
    return StartupError(f"stt.openai.base_url: {error}; see the server's own log, or set stt.openai.answer_format")


def _named(listed: list[str]) -> str:
    few = ", ".join(name[:80] for name in listed[:_MOST_NAMED])
    return few + (", …" if len(listed) > _MOST_NAMED else "")
