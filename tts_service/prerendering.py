"""Sentences of the settings, made before anybody asks: when nobody else speaks, and given up when somebody does."""

from __future__ import annotations

import asyncio

from parley.audio.v1 import audio_pb2
from servicekit.audio import MULAW_8K
from servicekit.logs import get_logger
from servicekit.server import Slots
from tts_service.speaking import Speaking
from tts_service.speech import EngineError, Passage
from tts_service.text import is_pronounceable, normalised

_log = get_logger(__name__)


async def prerender(
    speaking: Speaking, texts: tuple[str, ...], slots: Slots, fmt: audio_pb2.AudioFormat = MULAW_8K
) -> None:
    """Make each text in the default voice and keep it; what is kept from an earlier start is only looked up."""
    voice = speaking.engine.voices.default
    made = 0
    for text in texts:
        said = normalised(text).text
        if not is_pronounceable(said):
            continue
        passage = Passage(said, voice, voice.tags[0], 1.0)
        key = speaking.key(passage, fmt)
        if await speaking.cache.find(key, keep=True) is not None:
            continue
        try:
            await speaking.know(voice)
            while not await _made(speaking, key, passage, slots, fmt):
                await slots.wait_idle()
        except EngineError as error:
            _log.warning("a sentence of tts.prerender could not be spoken", error=str(error))
            continue
        made += 1
    if texts:
        _log.info("sentences prerendered", made=made, of=len(texts))


async def _made(speaking: Speaking, key: bytes, passage: Passage, slots: Slots, fmt: audio_pb2.AudioFormat) -> bool:
    """Speak a passage while no reply wants the engine; says whether it came to its end."""
    await slots.wait_idle()
    sound = speaking.begin(passage, fmt)
    speech = speaking.engine.speak(passage)
    try:
        async for chunk in speech:
            sound.add(chunk)
            if slots.in_use:
                return False
    finally:
        speech.stop()
        await asyncio.shield(speech.ended)
    sound.end()
    sound.words()
    speaking.finish(key, passage, sound, keep=True)
    return True
