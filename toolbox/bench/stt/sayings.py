"""What is said to the recogniser: four seconds of the embedded voice over the telephone, each a sentence of its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from servicekit.audio import MULAW_8K, LiveResampler, WireDecoder
from toolbox.bench.stt.plan import UTTERANCE_S
from toolbox.phone import over_telephone, speak

_HZ = 8000
_LEVEL_DBFS = -20.0
_TAIL_S = 0.4
"""Quiet at the end, as long as a recogniser is usually made to wait for it."""
_SILENT = 0xFF
_VOICES = ("en-us", "en-gb-x-rp", "en+f3", "en+m2")
_SENTENCES = (
    "I would like to move my appointment to next Thursday afternoon, please",
    "could you tell me whether the package that I ordered has been sent yet",
    "what is the weather going to be like in the mountains over the weekend",
    "please remind me to call the dentist as soon as they open in the morning",
    "my account number is four seven one nine and I have forgotten the password",
    "is there a train that leaves after six and arrives before ten in the evening",
    "I have been waiting for an answer since Monday and nobody has called me back",
    "turn the heating down in every room except for the one where the baby sleeps",
)


def sayings(count: int) -> list[bytes]:
    """So many different utterances of exactly four seconds, μ-law at 8 kHz: speech up to the quiet at their end."""
    return [
        _utterance(_SENTENCES[number % len(_SENTENCES)], _VOICES[number // len(_SENTENCES) % len(_VOICES)])
        for number in range(min(count, len(_SENTENCES) * len(_VOICES)))
    ]


def quiet(seconds: float) -> bytes:
    """Digital silence on the line."""
    return bytes([_SILENT]) * round(seconds * _HZ)


def as_heard(utterance: bytes) -> NDArray[np.float32]:
    """The samples ``[n]`` at 16 kHz that the service makes of an utterance."""
    return LiveResampler(_HZ, 2 * _HZ).process(WireDecoder(MULAW_8K).decode(utterance))


def _utterance(sentence: str, voice: str) -> bytes:
    samples, rate_hz = speak(sentence, voice)
    spoken = over_telephone(samples, rate_hz, level_dbfs=_LEVEL_DBFS)[: round((UTTERANCE_S - _TAIL_S) * _HZ)]
    return spoken + quiet(UTTERANCE_S - len(spoken) / _HZ)
