"""The settings of `[orchestrator.speech_text]`."""

from __future__ import annotations

from orchestrator.speech_text.chunker import Numbers
from servicekit.settings import SettingsModel


class SpeechTextSettings(SettingsModel):
    """How what a model writes is made speakable."""

    # "auto": numbers, dates, times, money and codes are put into words where Parley knows the language's. "off": all of
    # them are left to the voice, for one that reads them better.
    numbers: Numbers = "auto"
