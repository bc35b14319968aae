"""How loud voices are, and the gain that makes them equally loud: fixed for a segment, so that nothing pumps."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tts_service.speech import Engine, Passage
from tts_service.voices import Voice

AUDITION = "1, 2, 3, 4, 5."
"""What a voice says to be measured: figures are read in every language. Within 1 dB of ordinary sentences."""

_BLOCK_MS = 50
_SOUND_POWER = 1e-5  # blocks below -50 dBFS are pauses
_SPEECH_SHARE = 0.1  # and so are those 10 dB below the rest
_TOLERANCE_DB = 1.5
"""A voice this near to the target is left as it is: nobody hears the difference, and its samples stay untouched."""
_MOST_GAIN_DB = 12.0
_HEADROOM = 0.98
_ENOUGH_BLOCKS = 10
_ENOUGH_FOR_A_GUESS = 3
"""Less than this, a server's first few milliseconds, tells nothing: a word often begins quietly."""
_REMEMBERED_BLOCKS = 1200  # a minute of speech
_VOICES = 512


@dataclass(frozen=True)
class SpeechLevel:
    """The level of some speech: mean power of its active blocks, how many there are, and the largest amplitude."""

    power: float
    blocks: int
    peak: float


def speech_level(samples: NDArray[np.float32], rate_hz: int) -> SpeechLevel:
    """Measure mono samples [n]: pauses, told by two gates as in ITU-R BS.1770, do not count."""
    length = rate_hz * _BLOCK_MS // 1000
    count = len(samples) // length
    if not count:
        return SpeechLevel(0.0, 0, float(np.abs(samples).max(initial=0.0)))
    blocks = samples[: count * length].reshape(count, length)
    powers = np.einsum("ij,ij->i", blocks, blocks) / length
    sounding = powers[powers > _SOUND_POWER]
    speech = sounding[sounding > _SPEECH_SHARE * sounding.mean()] if len(sounding) else sounding
    power = float(speech.mean()) if len(speech) else 0.0
    return SpeechLevel(power, len(speech), float(np.abs(samples).max()))


class VoiceLevels:
    """Learns each voice's level from what it says; the gain of a voice changes only when it is heard to be off.

    A voice that is not known yet gets the gain that its first chunk asks for, if that says enough, and is learned with
    its first segment.
    """

    def __init__(self, target_dbfs: float, *, enabled: bool = True) -> None:
        """`target_dbfs` is the root-mean-square level of active speech; disabled, every gain is 1."""
        self._target_dbfs = target_dbfs
        self._enabled = enabled
        self._levels: OrderedDict[str, SpeechLevel] = OrderedDict()
        self._gains: dict[str, float] = {}

    def gain(self, voice: Voice) -> float | None:
        """The factor for a voice; None while it is not known."""
        return self._gains.get(_name(voice)) if self._enabled else 1.0

    def guess(self, first: SpeechLevel) -> float:
        """The factor for an unknown voice, by the first that was heard of it; 1 where that is too little."""
        if first.blocks < _ENOUGH_FOR_A_GUESS:
            return 1.0
        return self._wanted(first)

    def learn(self, voice: Voice, heard: SpeechLevel) -> None:
        """A segment of a voice was spoken whole."""
        if not self._enabled or not heard.blocks:
            return
        name = _name(voice)
        before = self._levels.pop(name, SpeechLevel(0.0, 0, 0.0))
        blocks = before.blocks + heard.blocks
        power = (before.power * before.blocks + heard.power * heard.blocks) / blocks
        level = SpeechLevel(power, min(blocks, _REMEMBERED_BLOCKS), max(before.peak, heard.peak))
        self._levels[name] = level
        if len(self._levels) > _VOICES:
            forgotten, _ = self._levels.popitem(last=False)
            self._gains.pop(forgotten, None)
        if level.blocks < _ENOUGH_BLOCKS:
            return
        gain, wanted = self._gains.get(name), self._wanted(level)
        if gain is None or abs(_db(wanted / gain)) > _TOLERANCE_DB:
            self._gains[name] = wanted

    async def audition(self, engine: Engine, voice: Voice) -> None:
        """Have a voice speak to nobody, unless it is known. Raises EngineError."""
        if self.gain(voice) is not None:
            return
        speech = engine.speak(Passage(AUDITION, voice, voice.tags[0], 1.0))
        try:
            chunks = [chunk async for chunk in speech]
        finally:
            speech.stop()
            # Whoever holds a slot for this holds it until the engine is free.
            await asyncio.shield(speech.ended)
        if chunks and not any(chunk.stands_in for chunk in chunks):
            sound = np.concatenate([chunk.samples for chunk in chunks])
            self.learn(voice, speech_level(sound, engine.info.sample_rate_hz))

    @staticmethod
    def fitting_gain(samples: NDArray[np.float32]) -> float:
        """The largest factor for samples [n] that leaves their peaks whole."""
        return _HEADROOM / max(float(np.abs(samples).max(initial=0.0)), 1e-6)

    def _wanted(self, level: SpeechLevel) -> float:
        if not self._enabled or level.power <= 0.0 or not math.isfinite(level.power):
            return 1.0
        gain_db = self._target_dbfs - 10 * math.log10(level.power)
        if abs(gain_db) <= _TOLERANCE_DB:
            return 1.0
        gain = 10 ** (max(-_MOST_GAIN_DB, min(_MOST_GAIN_DB, gain_db)) / 20)
        # Louder only as far as the peaks allow; a voice that reaches full scale itself is not this one's fault.
        return min(gain, max(1.0, _HEADROOM / level.peak)) if gain > 1.0 else gain


def _db(ratio: float) -> float:
    return 20 * math.log10(ratio)


def _name(voice: Voice) -> str:
    return f"{voice.engine}\0{voice.name}\0{voice.content}"
