"""Asking Microsoft's cloud through edge-tts: every wait bounded, asked again once before the first sound."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import aiohttp
import edge_tts
from edge_tts.exceptions import EdgeTTSException

from servicekit.startup import StartupError
from tts_service.settings import EdgeSettings
from tts_service.speech import EngineError

_REPEAT_AFTER_S = 0.1


@dataclass(frozen=True, slots=True)
class Question:
    """One request."""

    text: str
    voice: str
    speed: float


async def voices(settings: EdgeSettings) -> list[dict[str, Any]]:
    """The cloud's own list. Raises StartupError."""
    try:
        async with asyncio.timeout(settings.connect_timeout_s + settings.first_byte_timeout_s):
            return [dict(voice) for voice in await edge_tts.list_voices()]
    except (aiohttp.ClientError, EdgeTTSException, OSError, TimeoutError, ValueError) as error:
        raise StartupError(
            f'tts.engine is "edge-tts", but Microsoft\'s cloud does not answer ({type(error).__name__}): it needs the '
            "internet; choose another engine where there is none"
        ) from error


async def speech(question: Question, settings: EdgeSettings) -> AsyncGenerator[Any, None]:
    """What the cloud sends for a text, as edge-tts's own chunks: audio and word boundaries.

    Raises EngineError; closing the generator closes the connection at once.
    """
    begun = False
    try:
        async with aclosing(_attempt(question, settings)) as chunks:
            async for chunk in chunks:
                begun = True
                yield chunk
            return
    except EngineError:
        if begun:
            raise
    await asyncio.sleep(_REPEAT_AFTER_S)
    async with aclosing(_attempt(question, settings)) as chunks:
        async for chunk in chunks:
            yield chunk


async def _attempt(question: Question, settings: EdgeSettings) -> AsyncGenerator[Any, None]:
    # One of its own: edge-tts closes it with its session, and closing it here ends what edge-tts left open.
    connector = aiohttp.TCPConnector()
    chunks = edge_tts.Communicate(
        question.text,
        question.voice,
        rate=f"{round(100 * (question.speed - 1)):+d}%",
        pitch=f"{settings.pitch_hz:+d}Hz",
        boundary="WordBoundary",
        connector=connector,
        connect_timeout=settings.connect_timeout_s,
    ).stream()
    patience_s = settings.connect_timeout_s + settings.first_byte_timeout_s
    try:
        while True:
            async with asyncio.timeout(patience_s):
                chunk = await anext(chunks, None)
            if chunk is None:
                return
            patience_s = settings.gap_timeout_s
            yield chunk
    except TimeoutError:
        raise EngineError(f"Microsoft's cloud sent nothing for {patience_s:g} s") from None
    except (aiohttp.ClientError, EdgeTTSException, OSError, ValueError, KeyError) as error:
        raise EngineError(f"Microsoft's cloud failed ({type(error).__name__})") from error
    finally:
        await chunks.aclose()
        await connector.close()
