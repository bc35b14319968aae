"""What a telephone line does to a voice: the band of 300 to 3400 Hz, its level, its noise, μ-law at 8 kHz."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from servicekit.audio import encode_mulaw, resample, to_int16
from toolbox.phone.knobs import SAMPLE_RATE_HZ

_LOW_HZ, _HIGH_HZ = 300.0, 3400.0
_TAPS = 257


@functools.cache
def _band_filter() -> NDArray[np.float32]:
    """A linear-phase band-pass by windowed sinc (Blackman), [257] taps at 8 kHz."""
    n = np.arange(_TAPS) - (_TAPS - 1) / 2
    high = 2 * _HIGH_HZ / SAMPLE_RATE_HZ * np.sinc(2 * _HIGH_HZ / SAMPLE_RATE_HZ * n)
    low = 2 * _LOW_HZ / SAMPLE_RATE_HZ * np.sinc(2 * _LOW_HZ / SAMPLE_RATE_HZ * n)
    return np.asarray((high - low) * np.blackman(_TAPS), np.float32)


def band_limit(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Limit 8 kHz audio to the telephone band. Same length, no delay; float32 mono [n] in and out."""
    if not samples.size:
        return samples
    delay = (_TAPS - 1) // 2
    return np.convolve(samples, _band_filter())[delay : delay + samples.size].astype(np.float32)


def at_level(samples: NDArray[np.float32], level_dbfs: float) -> NDArray[np.float32]:
    """Scale audio so that its loudest 20 ms frames (90th percentile) have a level in dBFS; silence stays silent."""
    frames = samples[: samples.size // 160 * 160].reshape(-1, 160)
    if not frames.size:
        return samples
    rms = float(np.percentile(np.sqrt(np.square(frames).mean(axis=1)), 90))
    return samples if rms <= 0 else np.asarray(samples * (10 ** (level_dbfs / 20) / rms), np.float32)


def noise(count: int, level_dbfs: float, *, seed: int = 0) -> NDArray[np.float32]:
    """Band-limited noise at a level in dBFS, float32 [count] at 8 kHz; the same for the same seed."""
    raw = band_limit(np.random.default_rng(seed).standard_normal(count).astype(np.float32))
    rms = float(np.sqrt(np.square(raw).mean())) if count else 0.0
    return raw if rms <= 0 else np.asarray(raw * (10 ** (level_dbfs / 20) / rms), np.float32)


def room_noise(seconds: float, level_dbfs: float, *, seed: int = 0) -> bytes:
    """Noise as μ-law bytes, to fill the pauses of a caller."""
    return encode_mulaw(to_int16(noise(round(seconds * SAMPLE_RATE_HZ), level_dbfs, seed=seed)))


def over_telephone(
    samples: NDArray[np.float32],
    rate_hz: int,
    *,
    level_dbfs: float | None = None,
    snr_db: float | None = None,
    seed: int = 0,
) -> bytes:
    """Send a voice through the telephone.

    Args:
        samples: Mono float32 [n] in [-1, 1).
        rate_hz: Its sample rate.
        level_dbfs: Level of its louder frames; None leaves it as it is.
        snr_db: Signal-to-noise ratio of line noise mixed in; None adds none.
        seed: Of the noise.

    Returns:
        μ-law at 8 kHz.
    """
    voice = samples if rate_hz == SAMPLE_RATE_HZ else resample(samples, rate_hz, SAMPLE_RATE_HZ)
    voice = band_limit(np.asarray(voice, np.float32))
    if level_dbfs is not None:
        voice = at_level(voice, level_dbfs)
    if snr_db is not None and voice.size:
        rms = float(np.sqrt(np.square(voice).mean()))
        if rms > 0:
            voice = voice + noise(voice.size, 20 * float(np.log10(rms)) - snr_db, seed=seed)
    return encode_mulaw(to_int16(np.asarray(voice, np.float32)))
