"""Speech with its truth: where it begins and ends in the sound, and when each word was said.

The embedded voice (eSpeak NG) tells where words begin. Where speech begins and ends is taken from the sound itself,
after the telephone's band and level and before its noise, in steps of 5 ms.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from servicekit.audio import resample
from toolbox.bench.turn_taking.corpus.places import Piece
from toolbox.bench.turn_taking.corpus.speakers import Speaker
from toolbox.phone.line import at_level, band_limit
from tts_service.espeak import SAMPLE_RATE_HZ, EspeakChunk, WordStart, speak

RATE_HZ = 8000
_STEP = 40
# Below this, or 30 dB below the loudest step, nobody hears speech: as the simulated line's microphone has it.
_FLOOR_DBFS = -45.0
_BELOW_PEAK_DB = 30.0
_FADE = 40


@dataclass(frozen=True)
class Word:
    """A word as a recogniser writes it, and when it was said, in ms of the sound it is part of.

    ``text`` is empty for a digit that is written with the one before. ``closing`` is what is written behind it when
    nothing follows.
    """

    text: str
    start_ms: float
    end_ms: float
    closing: str = ""


@dataclass(frozen=True)
class Voiced:
    """Clean telephone speech: float32 ``[n]`` at 8 kHz without silence at either end, and its words."""

    samples: NDArray[np.float32]
    words: tuple[Word, ...]

    @property
    def length_ms(self) -> float:
        """How long it sounds."""
        return self.samples.size * 1000.0 / RATE_HZ


def say(piece: Piece, speaker: Speaker) -> Voiced:
    """Speak one piece as a caller, at the level of the caller, without noise."""
    samples, starts = _spoken(piece.spoken, speaker)
    clean = at_level(band_limit(resample(samples, SAMPLE_RATE_HZ, RATE_HZ)), speaker.level_dbfs)
    first, last = audible_span(clean)
    cut = clean[first:last].copy()
    fade = min(_FADE, cut.size // 2)
    if fade:
        ramp = np.linspace(0.0, 1.0, fade, dtype=np.float32)
        cut[:fade] *= ramp
    return Voiced(cut, _sounding(_words(piece, starts, first, cut.size), cut))


def audible_span(samples: NDArray[np.float32]) -> tuple[int, int]:
    """First and last sample of what can be heard of clean 8 kHz speech; (0, 0) for silence."""
    loud = np.flatnonzero(_loud_steps(samples))
    return (int(loud[0]) * _STEP, (int(loud[-1]) + 1) * _STEP) if loud.size else (0, 0)


def _loud_steps(samples: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which steps of 5 ms can be heard."""
    steps = samples[: samples.size // _STEP * _STEP].reshape(-1, _STEP)
    if not steps.size:
        return np.zeros(0, np.bool_)
    power = np.square(steps.astype(np.float64)).mean(axis=1)
    floor = min(10 ** (_FLOOR_DBFS / 10), float(power.max()) * 10 ** (-_BELOW_PEAK_DB / 10))
    return np.asarray(power > floor)


def _sounding(words: tuple[Word, ...], samples: NDArray[np.float32]) -> tuple[Word, ...]:
    """Words that end where their sound does: the voice counts the silence behind a word as part of it."""
    loud = _loud_steps(samples)
    step_ms = _STEP * 1000.0 / RATE_HZ
    ended = []
    for word in words:
        first, last = int(word.start_ms // step_ms), round(word.end_ms / step_ms)
        heard = np.flatnonzero(loud[first:last])
        end_ms = (first + int(heard[-1]) + 1) * step_ms if heard.size else word.end_ms
        ended.append(replace(word, end_ms=max(word.start_ms, min(end_ms, word.end_ms))))
    return tuple(ended)


def _spoken(text: str, speaker: Speaker) -> tuple[NDArray[np.float32], list[WordStart]]:
    chunks: list[NDArray[np.float32]] = [np.zeros(0, np.float32)]
    starts: list[WordStart] = []

    def collect(chunk: EspeakChunk) -> bool:
        chunks.append(chunk.samples)
        starts.extend(word for word in chunk.words if word.length > 0)
        return True

    speak(text, collect, voice=speaker.voice, rate_wpm=speaker.rate_wpm, pitch=speaker.pitch)
    return np.concatenate(chunks), starts


def _words(piece: Piece, starts: list[WordStart], first: int, size: int) -> tuple[Word, ...]:
    """The written words with times; one the voice reported no start for shares the time up to the next."""
    tokens = piece.spoken.split()
    offsets, at = [], 0
    for token in tokens:
        offsets.append(at)
        at += len(token) + 1
    known: dict[int, float] = {}
    for start in starts:
        index = max(0, sum(1 for offset in offsets if offset <= start.text_start) - 1)
        known.setdefault(index, start.sample * RATE_HZ / SAMPLE_RATE_HZ - first)
    known[0] = 0.0
    edges = [known.get(index) for index in range(len(tokens))] + [float(size)]
    times = _without_gaps(edges)
    pairs = list(pairwise(times))
    closings = ["", *("" for _ in tokens[1:])]
    closings[-1] = piece.closing
    return tuple(
        Word(text, begin * 1000.0 / RATE_HZ, end * 1000.0 / RATE_HZ, closing)
        for text, (begin, end), closing in zip(piece.written, pairs, closings, strict=True)
    )


def _without_gaps(edges: list[float | None]) -> list[float]:
    """Fill unknown edges evenly and keep all in order."""
    filled: list[float] = []
    for index, known in enumerate(edges):
        edge = known
        if edge is None:
            later = next(at for at in range(index, len(edges)) if edges[at] is not None)
            target, before = float(edges[later] or 0.0), filled[-1]
            edge = before + (target - before) / (later - index + 1)
        filled.append(max(edge, filled[-1] if filled else 0.0))
    return filled
