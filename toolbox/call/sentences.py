"""What the caller says, as it leaves the telephone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from toolbox.phone import over_telephone, speak
from toolbox.phone.wav import WavError, read_wav

_LEVEL_DBFS = -20.0


@dataclass(frozen=True)
class Sentence:
    """One thing to say."""

    text: str
    audio: bytes
    """μ-law at 8 kHz."""


def spoken(text: str, voice: str) -> Sentence:
    """A text in a synthetic voice (a name of eSpeak NG's, such as ``en`` or ``en+f3``)."""
    samples, rate_hz = speak(text, voice)
    return Sentence(text, over_telephone(samples, rate_hz, level_dbfs=_LEVEL_DBFS))


def recorded(path: Path) -> Sentence:
    """A WAV file of any rate, mixed down and sent through the telephone band.

    Raises:
        WavError: The file cannot be read.
    """
    try:
        samples, rate_hz = read_wav(path.read_bytes())
    except OSError as error:
        raise WavError(f"{path}: {error.strerror}") from None
    return Sentence(path.name, over_telephone(samples, rate_hz))
