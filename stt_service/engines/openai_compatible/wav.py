"""Samples as a WAV file in memory."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterable


def wav_of(pieces: Iterable[bytes], rate_hz: int) -> bytes:
    """A mono WAV file of 16-bit samples in the machine's order."""
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(rate_hz)
        wav.writeframes(b"".join(pieces))
    return file.getvalue()
