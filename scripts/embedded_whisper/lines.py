"""What a caller's line sounds like: utterances with pauses between, level, noise, bursts, G.711, and its log-mel."""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from faster_whisper.feature_extractor import FeatureExtractor
from numpy.typing import NDArray

from scripts.embedded_whisper.corpus import LEVEL_DBFS, NARROW_HZ, WIDE_HZ, Corpus
from servicekit.audio import LiveResampler, decode_mulaw, encode_mulaw, to_float, to_int16
from toolbox.bench.turn_taking.corpus.noises import NOISES, noise_of

Samples = NDArray[np.float32]

FRAMES_PER_S: Final = 100
_LINEAR = 0.15
"""Share of narrow lines that are not coded as μ-law."""
_CUT_OFF, _BEGUN_LATE, _NOBODY, _BURST = 0.3, 0.06, 0.06, 0.05
_COMPLETE_S = 0.03
"""A word is complete when no more than this of it is missing."""


@dataclass
class Line:
    """What is on the line in one window, and what the model shall make of it."""

    samples: Samples
    """At 16 kHz."""
    german: bool
    words: list[tuple[int, float, float]] = field(default_factory=list)
    """Number of the word, start and end in seconds."""
    segments: list[tuple[float, float, int]] = field(default_factory=list)
    """Start and end of each utterance, and how many of the words are its."""
    fragment: tuple[int, float, float, float] | None = None
    """The word that was cut off: number, start, where it would have ended, and where it was cut off."""
    speech: bool = False


class LineMaker:
    """Puts utterances of a corpus on lines."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._pools = {
            (rate, german): np.flatnonzero((corpus.rates == rate) & (corpus.german == german))
            for rate in (NARROW_HZ, WIDE_HZ)
            for german in (False, True)
        }

    def make(self, window_s: float, chance: np.random.Generator, *, wide: bool, ease_db: float = 0.0) -> Line:
        """A line that fits into a window of ``window_s``, with so much less noise than lines have."""
        rate = WIDE_HZ if wide else NARROW_HZ
        german = chance.random() < 0.1
        limit = int(rate * (window_s - 0.02))
        if chance.random() < _NOBODY:
            line = Line(np.zeros(0, np.float32), german)
            clean = np.zeros(int(chance.uniform(0.1, 0.9) * limit), np.float32)
        else:
            line, clean = self._talk(limit, rate, chance, german=german)
        noisy = _noisy(clean, rate, chance, ease_db=ease_db, nobody=not line.speech)
        if not wide:
            if chance.random() > _LINEAR:
                noisy = to_float(decode_mulaw(encode_mulaw(to_int16(noisy))))
            resampler = LiveResampler(NARROW_HZ, WIDE_HZ)
            noisy = np.concatenate([resampler.process(noisy), resampler.flush()])
        line.samples = noisy
        return line

    def _talk(self, limit: int, rate: int, chance: np.random.Generator, *, german: bool) -> tuple[Line, Samples]:
        line = Line(np.zeros(0, np.float32), german, speech=True)
        pool = self._pools[rate, german]
        length = int(chance.uniform(0.25, 1.0) * limit)
        pieces = [np.zeros(0 if chance.random() < 0.15 else int(rate * chance.uniform(0.02, 0.6)), np.float32)]
        at = len(pieces[0])
        while True:
            number = int(chance.choice(pool))
            samples = self._corpus.samples(number)
            words, times = self._corpus.words_of(number)
            if at == len(pieces[0]) and chance.random() < _BEGUN_LATE:
                begun = int(chance.uniform(0, 0.6) * len(samples))
                samples, times = samples[begun:], times - begun / rate
            last = at > 0 and at + len(samples) > length and len(line.segments) > 0
            if last and chance.random() < 0.6:
                break
            room = limit - at
            if room < rate // 4:
                break
            heard = samples[:room]
            if chance.random() < _CUT_OFF / 2 or len(heard) < len(samples):
                heard = heard[: int(len(heard) * chance.uniform(0.15, 1.0))]
                last = True
            pieces.append(heard * np.float32(10 ** (chance.uniform(-3, 3) / 20)))
            _write_down(line, words, times, at / rate, len(heard) / rate)
            at += len(heard)
            if last or len(heard) < len(samples) or at >= length:
                break
            gap = int(rate * chance.choice((chance.uniform(0.08, 0.4), chance.uniform(0.3, 1.5))))
            pieces.append(np.zeros(gap, np.float32))
            at += gap
        if line.fragment is None or chance.random() < 0.2:
            room = max(0, limit - at)
            pieces.append(np.zeros(min(room, int(rate * chance.exponential(0.4))), np.float32))
        return line, np.concatenate(pieces)[:limit]


def _write_down(
    line: Line, words: NDArray[np.int32], times: NDArray[np.float32], offset_s: float, heard_s: float
) -> None:
    written = []
    for word, (start, end) in zip(words.tolist(), times.tolist(), strict=True):
        if start < -_COMPLETE_S:
            continue
        if end <= heard_s + _COMPLETE_S:
            written.append((word, max(0.0, start) + offset_s, end + offset_s))
        elif start < heard_s:
            line.fragment = (word, start + offset_s, end + offset_s, heard_s + offset_s)
    if written:
        line.words += written
        line.segments.append((written[0][1], written[-1][2], len(written)))


def _noisy(clean: Samples, rate: int, chance: np.random.Generator, *, ease_db: float, nobody: bool) -> Samples:
    """Level, hiss of some colour, at times a burst of something."""
    level = chance.uniform(-33, -11)
    noise_dbfs = level - chance.triangular(10, 32, 48) - ease_db
    white = chance.standard_normal(len(clean) + 1, np.float32)
    tilt = np.float32(chance.uniform(-0.5, 0.9))
    coloured = white[1:] + tilt * white[:-1]
    scale = 10 ** (noise_dbfs / 20) / np.sqrt(1 + tilt * tilt)
    line = clean * np.float32(10 ** ((level - LEVEL_DBFS) / 20)) + coloured * np.float32(scale)
    if chance.random() < (0.6 if nobody else _BURST):
        source = random.Random(int(chance.integers(2**31)))
        burst = noise_of(source.choice(NOISES), level - source.uniform(0 if nobody else 8, 25), source)
        if rate != NARROW_HZ:
            burst = np.repeat(burst, rate // NARROW_HZ)
        at = int(chance.uniform(0, 1) * max(1, len(line) - len(burst) // 2))
        burst = burst[: len(line) - at]
        line[at : at + len(burst)] += burst
    return np.clip(line, -1, 1).astype(np.float32)


@functools.cache
def _mel_filters() -> torch.Tensor:
    return torch.from_numpy(FeatureExtractor.get_mel_filters(WIDE_HZ, 400, n_mels=80).astype(np.float32))


def log_mel(lines: list[Samples], window_s: float, fill: NDArray[np.bool_]) -> torch.Tensor:
    """Whisper's features ``[b, 80, frames]`` of a window, as faster-whisper computes them.

    Behind the audio stand zeros; where ``fill`` says so, the features of digital silence.
    """
    size = int(window_s * WIDE_HZ)
    audio = torch.zeros(len(lines), size + 160)
    for row, samples in enumerate(lines):
        audio[row, : len(samples)] = torch.from_numpy(samples)
    padded = torch.nn.functional.pad(audio, (200, 200), mode="reflect")
    windows = padded.unfold(1, 400, 160)[:, : size // 160] * torch.hann_window(400)
    spectrum = torch.view_as_real(torch.fft.rfft(windows))
    power = spectrum.square().sum(-1)
    mel = (power @ _mel_filters().T).clamp_(min=1e-10).log10_().transpose(1, 2)
    frames = torch.tensor([len(samples) // 160 + 1 for samples in lines])
    frames[torch.from_numpy(fill)] = size // 160
    heard = torch.arange(mel.shape[-1]) < frames[:, None]
    mel = torch.maximum(mel, mel.amax(dim=(1, 2), keepdim=True) - 8)
    return ((mel + 4) / 4) * heard[:, None]
