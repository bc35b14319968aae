"""A synthetic caller's voice: whole utterances from eSpeak NG, which ships inside a wheel and needs no download.

The binding is `tts_service`'s own, reached by its public face: the library is process-global and wants one lock.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tts_service import espeak_speech


def speak(
    text: str,
    voice: str = "en",
    *,
    rate_wpm: int = 160,
    pitch: int = 50,
    amplitude: float = 1.0,
) -> tuple[NDArray[np.float32], int]:
    """Speak a text. Blocks for a few milliseconds: call it from a thread.

    Args:
        text: What to say.
        voice: eSpeak's name of the voice, such as `en`, `en-us`, `en-gb-x-rp`, `de`, or with a variant `en+f3`.
        rate_wpm: Words a minute.
        pitch: 0 to 99.
        amplitude: Factor on the samples; the result is clipped to [-1, 1).

    Returns:
        Mono float32 [n] and the sample rate in Hz.
    """
    samples, rate_hz = espeak_speech(text, voice, rate_wpm, pitch)
    if amplitude != 1.0:
        samples = np.clip(samples * np.float32(amplitude), -1.0, 1.0 - 2**-15).astype(np.float32)
    return samples, rate_hz
