"""Noises of the places people call from, made by rule, and callers' voices amid them as the telephone carries them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from servicekit.audio import decode_mulaw, encode_mulaw, resample, to_float, to_int16
from tts_service import espeak_speech

RATE_HZ = 8000
SPEECH_DBFS = -23.0
"""Level of the voice while it sounds, RMS."""

Samples = NDArray[np.float32]
Course = NDArray[np.float64]
_BABBLERS = (("en", 150), ("en-us", 180), ("en-gb-x-rp", 165), ("en-us+m3", 140), ("en+f3", 190), ("en+m5", 170))
_GOSSIP = (
    "and then she said that the meeting on monday was moved to the other building without telling anybody",
    "you would not believe how much they want for a small flat near the station these days",
    "my brother has been working on that old boat since the summer and it still does not float",
    "could somebody pass the salt and tell me whether the train from the north has arrived yet",
    "it was raining all afternoon so we stayed inside and played cards until the lights went out",
    "the doctor thinks that it is nothing serious but he wants to have another look next week",
)


def voice(words: str, name: str = "en-us", *, rate_wpm: int = 165) -> Samples:
    """A synthetic voice at 8 kHz, float32 ``[n]``, at `SPEECH_DBFS` while it sounds."""
    spoken, rate_hz = espeak_speech(words, name, rate_wpm=rate_wpm)
    line = resample(np.asarray(spoken, dtype=np.float32), rate_hz, RATE_HZ)
    return at_level(line, SPEECH_DBFS, line)


def at_level(samples: Samples, dbfs: float, sounding: Samples) -> Samples:
    """Scaled so that ``sounding`` would have this RMS level where it is not silent."""
    loud = sounding[np.abs(sounding) > 0.05 * np.abs(sounding).max()]
    return samples * np.float32(10 ** (dbfs / 20) / np.sqrt(np.mean(np.square(loud))))


def over_the_telephone(samples: Samples) -> Samples:
    """What is left of samples after 8-bit μ-law."""
    return to_float(decode_mulaw(encode_mulaw(to_int16(samples))))


def car(seconds: float, seed: int = 0) -> Samples:
    """A car on a country road: the engine's harmonics, tyres and wind, most of it low."""
    random, count = np.random.default_rng(seed), int(seconds * RATE_HZ)
    time = np.arange(count) / RATE_HZ
    turning = 38.0 + 6.0 * np.sin(2 * np.pi * 0.11 * time) + 2.0 * np.sin(2 * np.pi * 0.53 * time + 1)
    phase = 2 * np.pi * np.cumsum(turning) / RATE_HZ
    orders = np.arange(2, 12)[:, np.newaxis]
    engine = (np.sin(orders * phase + orders) / orders).sum(axis=0)
    gusts = 1.0 + 0.4 * _slow(random, count, 0.7)
    road = _shaped(random, count, lambda hz: 1.0 / np.maximum(hz, 60.0)) * gusts
    return _unit(2.0 * road / np.std(road) + 0.8 * engine / np.std(engine))


def kitchen(seconds: float, seed: int = 0) -> Samples:
    """A kitchen: an extractor fan's hum and air, something frying, water, dishes that clatter."""
    random, count = np.random.default_rng(seed), int(seconds * RATE_HZ)
    time = np.arange(count) / RATE_HZ
    fan = _shaped(random, count, lambda hz: 1.0 / np.sqrt(np.maximum(hz, 80.0)))
    hum = np.sin(2 * np.pi * 100 * time) + 0.5 * np.sin(2 * np.pi * 200 * time) + 0.3 * np.sin(2 * np.pi * 300 * time)
    frying = _shaped(random, count, lambda hz: np.minimum(hz / 2500.0, 1.0))
    frying *= np.maximum(0.0, 1.0 + 0.5 * _slow(random, count, 9.0))
    clatter = np.zeros(count)
    for begins in random.integers(0, count, max(1, int(seconds * 1.5))):
        after = time[: count - begins]
        for tone in random.uniform(900, 3600, 4):
            clatter[begins:] += np.sin(2 * np.pi * tone * after) * np.exp(-after * random.uniform(25, 70))
    steady = fan / np.std(fan) + 0.3 * hum + 0.8 * frying / np.std(frying)
    return _unit(steady / np.std(steady) + 2.5 * clatter)


def babble(seconds: float, seed: int = 0) -> Samples:
    """Six people talking at once, none of them to us. This is speech, and no suppressor of noise can know better."""
    random, count = np.random.default_rng(seed), int(seconds * RATE_HZ)
    mixed = np.zeros(count)
    for place, (name, rate_wpm) in enumerate(_BABBLERS):
        talk = np.concatenate([voice(words, name, rate_wpm=rate_wpm) for words in np.roll(_GOSSIP, place + seed)])
        talk = np.tile(talk, -(-count // talk.shape[0]))[:count]
        mixed += np.roll(talk, int(random.integers(0, count)))
    return _unit(mixed)


NOISES: Mapping[str, Callable[[float, int], Samples]] = {"car": car, "kitchen": kitchen, "babble": babble}


def amid(speech: Samples, noise: Samples, snr_db: float, *, lead_s: float = 2.0, tail_s: float = 1.0) -> Samples:
    """A voice in a noise (unit RMS) that was there before and stays after, through the telephone."""
    lead, tail = (np.zeros(int(seconds * RATE_HZ), np.float32) for seconds in (lead_s, tail_s))
    line = np.concatenate((lead, speech, tail))
    return over_the_telephone(line + noise[: line.shape[0]] * np.float32(10 ** ((SPEECH_DBFS - snr_db) / 20)))


def _shaped(random: np.random.Generator, count: int, gain: Callable[[Course], Course]) -> Course:
    frequencies: Course = np.asarray(np.fft.rfftfreq(count, 1 / RATE_HZ), dtype=np.float64)
    spectrum = np.fft.rfft(random.standard_normal(count))
    shaped: Course = np.fft.irfft(spectrum * gain(frequencies), count)
    return shaped


def _slow(random: np.random.Generator, count: int, hz: float) -> Course:
    """A random course of unit RMS that changes about ``hz`` times a second."""
    course = _shaped(random, count, lambda frequency: np.exp(-((frequency / hz) ** 2)))
    return course / np.std(course)


def _unit(samples: Course) -> Samples:
    return np.divide(samples, np.std(samples), dtype=np.float64).astype(np.float32)
