"""What the kit says to a recogniser: real speech from the embedded voice, and silence."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from parley.audio.v1 import audio_pb2
from servicekit.audio import WireEncoder, bytes_per_sample

QUESTION = "what time is it"
SUM = "what is seven plus five"
PIECE_S = 0.06
"""Audio in one message, where its size is not the point."""
_SPEECH_DBFS = -20.0
_LINE_DBFS = -50.0
"""Noise below the speech, as on any telephone line; recognisers are not made for digital silence within words."""
_PAUSE_S = 0.3


def silence(fmt: audio_pb2.AudioFormat, seconds: float) -> bytes:
    """Digital silence."""
    return _encoded(np.zeros(round(fmt.sample_rate_hz * seconds), np.float32), fmt.sample_rate_hz, fmt)


def speech(fmt: audio_pb2.AudioFormat, text: str = QUESTION) -> bytes:
    """The embedded English voice at a usual level, with a short pause before and after."""
    samples, rate_hz = _spoken(text)
    return _encoded(samples, rate_hz, fmt)


def length(fmt: audio_pb2.AudioFormat, seconds: float) -> int:
    """Bytes of so many seconds."""
    return round(fmt.sample_rate_hz * seconds) * bytes_per_sample(fmt)


@functools.cache
def _spoken(text: str) -> tuple[NDArray[np.float32], int]:
    # Loaded when speech is needed: a server can be examined in part where eSpeak NG is not installed.
    from tts_service import espeak_speech  # noqa: PLC0415

    voiced, rate_hz = espeak_speech(text, "en-us", 150)
    level = np.sqrt(np.mean(np.square(voiced[np.abs(voiced) > 0.01])))
    pause = np.zeros(round(rate_hz * _PAUSE_S), np.float32)
    line = np.concatenate([pause, voiced * np.float32(10 ** (_SPEECH_DBFS / 20) / level), pause])
    noise = np.random.default_rng(0).standard_normal(line.shape, dtype=np.float32)
    return np.clip(line + noise * np.float32(10 ** (_LINE_DBFS / 20)), -1.0, 1.0), rate_hz


def _encoded(samples: NDArray[np.float32], rate_hz: int, fmt: audio_pb2.AudioFormat) -> bytes:
    encoder = WireEncoder(rate_hz, fmt)
    return encoder.encode(samples) + encoder.flush()
