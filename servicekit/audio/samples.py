"""Samples as numbers: 16-bit integers on the wire, float32 in [-1, 1) inside."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

SILENCE_DBFS = -120.0
"""What :func:`level_dbfs` answers for digital silence and for no samples at all."""

_FULL_SCALE = 32768.0
_LARGEST = 32767.0 / _FULL_SCALE


def to_float(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """Scale int16 samples of any shape to float32 in [-1, 1)."""
    scaled: NDArray[np.float32] = samples.astype(np.float32)
    scaled *= np.float32(1.0 / _FULL_SCALE)
    return scaled


def to_int16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Round float32 samples of any shape to int16, clipped at full scale; NaN becomes 0.

    A synthesiser's NaN must not become a click at full scale, which is what a bare cast makes of it.
    """
    # Clipped before scaling, so that nothing overflows; minimum and maximum cost half of what clip does on 20 ms.
    scaled: NDArray[np.float32] = np.minimum(samples, np.float32(_LARGEST))
    np.maximum(scaled, np.float32(-1.0), out=scaled)
    if math.isnan(float(scaled.sum())):
        np.nan_to_num(scaled, copy=False, nan=0.0)
    scaled *= np.float32(_FULL_SCALE)
    np.rint(scaled, out=scaled)
    return scaled.astype(np.int16)


def level_dbfs(samples: NDArray[np.float32]) -> float:
    """Root-mean-square level in dB relative to full scale (a full-scale square wave is 0), at least SILENCE_DBFS."""
    if samples.size == 0:
        return SILENCE_DBFS
    flat = samples.ravel()
    power = float(np.dot(flat, flat)) / samples.size
    if not power > 0.0:
        return SILENCE_DBFS
    return max(SILENCE_DBFS, 10.0 * math.log10(power))
