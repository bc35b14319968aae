"""The callers' sentences as they leave the telephone, rendered before the calls begin."""

from __future__ import annotations

from toolbox.bench.scenario import INTERRUPTIONS, QUESTIONS
from toolbox.phone import over_telephone, speak

_SPEAKERS = ("en", "en-us", "en+f3")


class Voices:
    """Questions and interruptions by several speakers, μ-law at 8 kHz; takes about a second to make."""

    def __init__(self, level_dbfs: float) -> None:
        def rendered(text: str, voice: str) -> bytes:
            samples, rate_hz = speak(text, voice)
            return over_telephone(samples, rate_hz, level_dbfs=level_dbfs)

        self.questions = [rendered(text, voice) for text in QUESTIONS for voice in _SPEAKERS]
        self.interruptions = [rendered(text, voice) for text in INTERRUPTIONS for voice in _SPEAKERS]
