"""The silence at the end of a piece of speech: up to a second of it, with some servers, after every sentence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tts_service.edges import AUDIBLE


class TrailingSilence:
    """Shortens the silence at the end, of speech that comes in chunks of any size.

    What is inaudible is held back until something audible follows, and is then given whole; what is audible is never
    delayed.
    """

    def __init__(self, rate_hz: int, keep_ms: int) -> None:
        """Leave at most `keep_ms`."""
        self._keep = rate_hz * keep_ms // 1000
        self._held: list[NDArray[np.float32]] = []

    def process(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the next samples ``[n]``; give those that certainly belong to the speech, in order."""
        audible = np.flatnonzero(np.abs(samples) >= AUDIBLE)
        if not len(audible):
            if len(samples):
                self._held.append(samples)
            return samples[:0]
        end = int(audible[-1]) + 1
        given = np.concatenate([*self._held, samples[:end]])
        self._held = [samples[end:]] if end < len(samples) else []
        return given

    def flush(self) -> NDArray[np.float32]:
        """The speech is over; give the silence that is left of it."""
        held = np.concatenate([np.zeros(0, dtype=np.float32), *self._held])
        self._held = []
        return held[: self._keep]
