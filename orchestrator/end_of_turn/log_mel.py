"""Whisper's log-mel features, as the Whisper-based end-of-turn models were trained on.

Radford et al., *Robust Speech Recognition via Large-Scale Weak Supervision* (2022), section 2.2: 80 mel bands of 25 ms
windows every 10 ms, log10, floored 8 below the loudest, shifted and scaled. The filters are Slaney's (*Auditory
Toolbox*, 1998): linear to 1 kHz, logarithmic above, each of unit area. `tests/unit/orchestrator/end_of_turn` compares
every value with the reference implementation's.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

RATE_HZ = 16_000
BANDS = 80
FRAMES = 800
SAMPLES = 128_000
"""8 s: what the models hear at once."""

_WINDOW = 400
_HOP = 160
_FRAMES_AT_ONCE = 16
_FLOOR = 1e-10
# Where Slaney's scale turns from linear (200/3 Hz a mel) to logarithmic (27 mels from 1 to 6.4 kHz).
_BREAK_HZ = 1000.0
_HZ_PER_MEL = 200.0 / 3.0
_BREAK_MEL = _BREAK_HZ / _HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0


def last_8_s(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The last 8 s of float32 samples ``[n]`` at 16 kHz, shape ``[128000]``; silence *before* them where n is less."""
    if samples.shape[0] >= SAMPLES:
        return samples[-SAMPLES:]
    padded = np.zeros(SAMPLES, dtype=np.float32)
    if samples.shape[0]:
        padded[-samples.shape[0] :] = samples
    return padded


def log_mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features of exactly 8 s, float32 ``[80, 800]``, of float32 samples ``[128000]`` at 16 kHz.

    The samples are first brought to zero mean and unit variance, leading silence included: level does not matter.
    ValueError for any other length.
    """
    if samples.shape != (SAMPLES,):
        raise ValueError(f"8 s at 16 kHz are {SAMPLES} samples, not {samples.shape}")
    level = samples - samples.mean(dtype=np.float64).astype(np.float32)
    level /= np.float32(np.sqrt(np.mean(np.square(level, dtype=np.float64)) + 1e-7))
    line = np.pad(level, _WINDOW // 2, mode="reflect")
    # The window that begins at the very end of the sound is Whisper's 801st, which it drops.
    frames = sliding_window_view(line, _WINDOW)[::_HOP][:FRAMES]
    spectrum = np.fft.rfft(frames * _hann(), axis=1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    # In pieces so small that BLAS does each on this thread: threads of its own would spin on the cores of live calls
    # (measured: they doubled the CPU time of a whole judgement).
    pieces = power.astype(np.float32, copy=False).reshape(-1, _FRAMES_AT_ONCE, power.shape[1])
    bands = np.log10(np.maximum((pieces @ _filters().T).reshape(FRAMES, BANDS).T, _FLOOR))
    floored = np.maximum(bands, bands.max() - 8.0)
    features: NDArray[np.float32] = np.ascontiguousarray((floored + 4.0) / 4.0, dtype=np.float32)
    return features


@functools.cache
def _hann() -> NDArray[np.float32]:
    """A periodic Hann window ``[400]``."""
    window: NDArray[np.float32] = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
    window.setflags(write=False)
    return window


@functools.cache
def _filters() -> NDArray[np.float32]:
    """Triangles of unit area, ``[80, 201]``: band by bin of the spectrum."""
    edges = _hz(np.linspace(0.0, _mel(RATE_HZ / 2), BANDS + 2))
    bins = np.linspace(0.0, RATE_HZ / 2, _WINDOW // 2 + 1)
    width = np.diff(edges)
    distance = edges[:, np.newaxis] - bins[np.newaxis, :]
    rising = -distance[:-2] / width[:-1, np.newaxis]
    falling = distance[2:] / width[1:, np.newaxis]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    triangles *= (2.0 / (edges[2:] - edges[:-2]))[:, np.newaxis]
    filters: NDArray[np.float32] = triangles.astype(np.float32)
    filters.setflags(write=False)
    return filters


def _mel(hz: float) -> float:
    return float(_BREAK_MEL + np.log(hz / _BREAK_HZ) / _LOG_STEP) if hz >= _BREAK_HZ else hz / _HZ_PER_MEL


def _hz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    logarithmic: NDArray[np.float64] = _BREAK_HZ * np.exp(_LOG_STEP * (mels - _BREAK_MEL))
    return np.where(mels < _BREAK_MEL, mels * _HZ_PER_MEL, logarithmic)
