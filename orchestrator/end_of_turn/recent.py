"""The last 8 s of one caller's sound, as the windows that speech detection cut anyway."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from orchestrator.end_of_turn.log_mel import RATE_HZ, SAMPLES


class RecentSound:
    """Keeps references to windows, copies nothing until it is asked: 512 kB and well under a microsecond a window."""

    def __init__(self) -> None:
        self._windows: deque[tuple[float, NDArray[np.float32]]] = deque()
        self._samples = 0

    def push(self, window: NDArray[np.float32], end_ms: float) -> None:
        """Take the next float32 samples ``[n]`` at 16 kHz, which end at ``end_ms`` of media time.

        They are kept as they are: nobody may write to them afterwards.
        """
        self._windows.append((end_ms, window))
        self._samples += window.shape[0]
        while self._samples - self._windows[0][1].shape[0] >= SAMPLES:
            self._samples -= self._windows.popleft()[1].shape[0]

    @property
    def end_ms(self) -> float:
        """Media time at which the last window ended."""
        return self._windows[-1][0] if self._windows else 0.0

    def since(self, from_ms: float) -> NDArray[np.float32]:
        """A copy ``[n]`` of what came after ``from_ms`` of media time, the last 8 s of it at most."""
        parts = [window for end_ms, window in self._windows if end_ms > from_ms]
        if not parts:
            return np.zeros(0, dtype=np.float32)
        sound = np.concatenate(parts)
        first_end_ms = next(end_ms for end_ms, _ in self._windows if end_ms > from_ms)
        begins_ms = first_end_ms - parts[0].shape[0] * 1000.0 / RATE_HZ
        early = max(0, round((from_ms - begins_ms) * RATE_HZ / 1000.0))
        return sound[max(early, sound.shape[0] - SAMPLES) :]
