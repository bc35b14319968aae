"""Sounds on a line that nobody means: coughs, keys, hum, music; and other people's talk.

All are float32 ``[n]`` at 8 kHz inside the telephone band, made from a seed, at a level in dBFS of their louder frames.
"""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray

from toolbox.bench.turn_taking.corpus.places import whole
from toolbox.bench.turn_taking.corpus.speakers import random_speaker
from toolbox.bench.turn_taking.corpus.texts import Half, sentences
from toolbox.bench.turn_taking.corpus.voice import RATE_HZ, say
from toolbox.phone.line import at_level, band_limit

NOISES = ("cough", "keyboard", "hum", "music")
"""Kinds that are not speech; babble is made by `babble`."""

Samples = NDArray[np.float32]


def noise_of(kind: str, level_dbfs: float, chance: random.Random) -> Samples:
    """One stretch of a kind of noise.

    Raises:
        ValueError: There is no such kind.
    """
    source = np.random.default_rng(chance.randrange(2**32))
    if kind == "cough":
        raw = _cough(source, chance)
    elif kind == "keyboard":
        raw = _keyboard(source, chance)
    elif kind == "hum":
        raw = _hum(source, chance)
    elif kind == "music":
        raw = _music(source, chance)
    else:
        raise ValueError(f"no noise of the kind {kind!r}")
    return at_level(band_limit(np.asarray(raw, np.float32)), level_dbfs)


def babble(half: Half, level_dbfs: float, chance: random.Random) -> Samples:
    """Three people talking at once, somewhere near the telephone."""
    said = sentences(half, chance)
    voices = [say(whole(next(said)), random_speaker(chance)).samples for _ in range(3)]
    mixed = np.zeros(max(voice.size for voice in voices), np.float32)
    for voice in voices:
        mixed[: voice.size] += at_level(voice, level_dbfs)
    return at_level(mixed, level_dbfs)


def _seconds(low: float, high: float, chance: random.Random) -> int:
    return round(chance.uniform(low, high) * RATE_HZ)


def _cough(source: np.random.Generator, chance: random.Random) -> Samples:
    """One to three bursts of broad noise: a sharp onset, 60–150 ms of decay, coloured as by a throat."""
    bursts = []
    for _ in range(chance.randint(1, 3)):
        size = _seconds(0.15, 0.30, chance)
        envelope = np.exp(-np.arange(size) / (chance.uniform(0.03, 0.08) * RATE_HZ))
        envelope[:80] *= np.linspace(0, 1, 80)
        noise = source.standard_normal(size)
        coloured = np.convolve(noise, np.exp(-np.arange(24) / 6.0) * np.cos(np.arange(24) * 0.9), mode="same")
        bursts += [envelope * coloured, np.zeros(_seconds(0.08, 0.25, chance))]
    return np.concatenate(bursts[:-1]).astype(np.float32)


def _keyboard(source: np.random.Generator, chance: random.Random) -> Samples:
    """Clicks of 4–12 ms, four to nine a second."""
    out = np.zeros(_seconds(1.0, 2.5, chance), np.float32)
    at = 0
    while at < out.size - 200:
        size = chance.randint(32, 96)
        click = source.standard_normal(size) * np.exp(-np.arange(size) / (size / 4))
        out[at : at + size] += (click * chance.uniform(0.4, 1.0)).astype(np.float32)
        at += _seconds(0.11, 0.25, chance)
    return out


def _hum(source: np.random.Generator, chance: random.Random) -> Samples:
    """A motor: a tone with overtones that wavers a little, and some rush."""
    t = np.arange(_seconds(1.5, 3.0, chance)) / RATE_HZ
    pitch = chance.uniform(90, 240) * (1 + 0.01 * np.sin(2 * np.pi * 0.7 * t))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE_HZ
    tones = sum(np.sin(overtone * phase) / overtone for overtone in range(1, 9))
    return np.asarray(tones + 0.2 * source.standard_normal(t.size), np.float32) * _swell(t.size)


def _music(source: np.random.Generator, chance: random.Random) -> Samples:
    """Plucked chords, two to four a second, as from a radio in the next room."""
    out = np.zeros(_seconds(2.0, 3.5, chance), np.float32)
    at = 0
    while at < out.size:
        size = min(out.size - at, _seconds(0.3, 0.9, chance))
        t = np.arange(size) / RATE_HZ
        root = chance.choice((196.0, 220.0, 261.6, 293.7, 329.6))
        for ratio in (1.0, chance.choice((1.189, 1.26)), 1.498, 2.0):
            out[at : at + size] += (np.sin(2 * np.pi * root * ratio * t) * np.exp(-3.0 * t)).astype(np.float32)
        at += _seconds(0.25, 0.5, chance)
    return out + np.asarray(0.01 * source.standard_normal(out.size), np.float32)


def _swell(size: int) -> Samples:
    ramp = min(size // 4, RATE_HZ // 5)
    envelope = np.ones(size, np.float32)
    envelope[:ramp] = np.linspace(0, 1, ramp)
    envelope[-ramp:] = np.linspace(1, 0, ramp)
    return envelope
