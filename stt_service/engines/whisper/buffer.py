"""An utterance's samples, growing at the end and let go of at the beginning."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stt_service.engines.whisper.windows import WHISPER_HZ

_FIRST = 4 * WHISPER_HZ


class SampleBuffer:
    """Mono float32 samples at 16 kHz. Positions count from the utterance's start."""

    def __init__(self) -> None:
        self._samples = np.zeros(_FIRST, np.float32)
        self._held = 0
        self.start = 0
        """Of the first sample that is still here."""

    @property
    def end(self) -> int:
        """After the last sample."""
        return self.start + self._held

    def append(self, samples: NDArray[np.float32]) -> None:
        """Add samples ``[n]``."""
        needed = self._held + len(samples)
        if needed > len(self._samples):
            # Never in place: whoever holds a view may be decoding it.
            larger = np.zeros(max(needed, 2 * len(self._samples)), np.float32)
            larger[: self._held] = self._samples[: self._held]
            self._samples = larger
        self._samples[self._held : needed] = samples
        self._held = needed

    def view(self) -> NDArray[np.float32]:
        """All that is here, ``[n]``; what is added later does not change it."""
        return self._samples[: self._held]

    def let_go(self, before: int) -> None:
        """Forget the samples before a position."""
        kept = self._samples[before - self.start : self._held]
        self._held = len(kept)
        self.start = before
        self._samples = np.zeros(max(_FIRST, 2 * len(kept)), np.float32)
        self._samples[: len(kept)] = kept

    def clear(self) -> None:
        """Forget everything."""
        self._samples, self._held = np.zeros(0, np.float32), 0
