"""Whisper invents words for silence and noise: what it is not given, and what of its texts is not believed."""

from __future__ import annotations

import math
import zlib

import numpy as np
from faster_whisper.vad import SileroVADModel, get_vad_model
from numpy.typing import NDArray

from servicekit.audio import level_dbfs
from stt_service.engines.whisper.windows import WHISPER_HZ
from stt_service.settings import WhisperSettings

_LEVEL_WINDOW = WHISPER_HZ // 10
_VAD_WINDOW = 512
_SPEECH_PROBABILITY = 0.5


class Gates:
    """What keeps inventions out, before the model and after it. Any thread may ask."""

    def __init__(self, settings: WhisperSettings) -> None:
        """Prepare; `load` loads what the settings ask for."""
        self._settings = settings
        self._vad: SileroVADModel | None = None

    def load(self) -> None:
        """Load voice detection (Silero's, of faster-whisper's own wheel) unless the settings do without it."""
        if self._settings.least_speech_s:
            self._vad = get_vad_model()

    def holds_speech(self, audio: NDArray[np.float32]) -> bool:
        """Whether somebody speaks in samples ``[n]`` at 16 kHz, for long enough to be worth understanding."""
        return not self._is_quiet(audio) and self._speech_s(audio) >= self._settings.least_speech_s

    def is_doubtful(self, text: str, log_prob: float, no_speech_prob: float) -> bool:
        """Whether the model may have invented a text: unsure of it, of the speech, or going round in circles."""
        own = self._settings
        packed = text.encode()
        repetition = len(packed) / len(zlib.compress(packed))
        unsure = log_prob < own.log_prob_threshold
        nobody = no_speech_prob > own.no_speech_threshold and log_prob < own.log_prob_threshold / 2
        return unsure or nobody or repetition > own.compression_ratio_threshold

    def _is_quiet(self, audio: NDArray[np.float32]) -> bool:
        starts = range(0, len(audio), _LEVEL_WINDOW)
        return all(level_dbfs(audio[at : at + _LEVEL_WINDOW]) < self._settings.silence_dbfs for at in starts)

    def _speech_s(self, audio: NDArray[np.float32]) -> float:
        if self._vad is None:
            return math.inf
        # Padded into an array of our own: the model writes into what it is given.
        padded = np.zeros(-(-len(audio) // _VAD_WINDOW) * _VAD_WINDOW, np.float32)
        padded[: len(audio)] = audio
        windows = np.count_nonzero(self._vad(padded) >= _SPEECH_PROBABILITY)
        return float(windows * _VAD_WINDOW / WHISPER_HZ)
