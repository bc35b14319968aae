"""How much sound a text may plausibly become: a server that never stops must not be heard for ever."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tts_service.sound.sniffing import NotSoundError

_LONGEST_S, _LONGEST_S_PER_CHARACTER = 10.0, 0.5
"""Several times what the slowest speaker needs."""


class PlausibleLength:
    """Counts the samples of one answer."""

    def __init__(self, text: str, speed: float, rate_hz: int) -> None:
        """For a text at a rate of speech."""
        self._rate_hz = rate_hz
        self._longest = round(rate_hz * (_LONGEST_S + _LONGEST_S_PER_CHARACTER * len(text)) / speed)
        self._taken = 0

    def take(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next samples, as they are. Raises NotSoundError when they are more than plausible."""
        self._taken += len(samples)
        if self._taken > self._longest:
            raise NotSoundError(f"it is more than {self._longest // self._rate_hz} s of sound")
        return samples

    def end(self) -> None:
        """There are no more. Raises NotSoundError when there were none at all."""
        if self._taken == 0:
            raise NotSoundError("there is no sound in it")
