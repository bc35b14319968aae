"""Where in an utterance the last sound lies that may be speech: what lies after it need not be decoded again.

By level alone, and on the safe side: what is taken for speech and is none costs a decode, what is speech and is missed
would cost a word. So the threshold lies well below the voice, a stretch of quiet after the last sound must have been
decoded too, and on a line whose noise is nearly as loud as the voice everything counts as speech.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stt_service.engines.whisper.windows import WHISPER_HZ

_HANGOVER = WHISPER_HZ // 10
"""Quiet that must follow the last sound: a word may end in a consonant that no level shows, after a closure."""
_ASKED_HANGOVER = WHISPER_HZ // 25
"""The same where the client asked for a final: it has its own reasons to believe that the caller has paused."""

_FRAME = WHISPER_HZ // 50
_ABOVE_NOISE_DB = 6.0
_BELOW_VOICE_DB = 20.0
_NOISE_PERCENTILE, _VOICE_PERCENTILE = 10, 98
_FLOOR_POWER = 1e-12
_REMEMBERED = 1500
"""Frames by which noise and voice are told apart: the last half minute."""


class Activity:
    """Levels of one utterance, 20 ms by 20 ms; four bytes for each."""

    def __init__(self, silence_dbfs: float) -> None:
        """Nothing below ``silence_dbfs`` is speech, however quiet the rest is."""
        self._silence_dbfs = silence_dbfs
        self._levels = np.zeros(256, np.float32)
        self._frames = 0
        self._rest = np.zeros(0, np.float32)
        self._speech_end = 0
        self._known_frames = 0

    def hear(self, samples: NDArray[np.float32]) -> None:
        """Take the next samples ``[n]`` at 16 kHz."""
        pending = np.concatenate([self._rest, samples]) if len(self._rest) else samples
        whole = len(pending) // _FRAME
        self._rest = pending[whole * _FRAME :].copy()
        if not whole:
            return
        frames = pending[: whole * _FRAME].reshape(whole, _FRAME)
        power = np.einsum("ij,ij->i", frames, frames) / _FRAME
        while self._frames + whole > len(self._levels):
            self._levels = np.concatenate([self._levels, np.zeros_like(self._levels)])
        self._levels[self._frames : self._frames + whole] = 10 * np.log10(np.maximum(power, _FLOOR_POWER))
        self._frames += whole

    @property
    def speech_end(self) -> int:
        """Sample after the last one that may be speech; 0 when there was none.

        Judged afresh, since what comes later tells the voice from the noise.
        """
        if self._known_frames != self._frames:
            self._known_frames = self._frames
            loud = np.flatnonzero(self._levels[: self._frames] >= self._threshold())
            self._speech_end = (int(loud[-1]) + 1) * _FRAME if len(loud) else 0
        return self._speech_end

    def is_covered(self, samples: int, *, asked: bool = False) -> bool:
        """Whether the first so many samples hold all that may be speech, and enough after it.

        Less is enough when the client ``asked`` for a final at this place.
        """
        return self.speech_end + (_ASKED_HANGOVER if asked else _HANGOVER) <= samples

    def _threshold(self) -> float:
        recent = self._levels[max(0, self._frames - _REMEMBERED) : self._frames]
        noise, voice = np.percentile(recent, (_NOISE_PERCENTILE, _VOICE_PERCENTILE))
        return max(self._silence_dbfs, min(float(noise) + _ABOVE_NOISE_DB, float(voice) - _BELOW_VOICE_DB))
