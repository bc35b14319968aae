"""How loud is what the caller hears of us right now? For telling our echo from their voice."""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

from orchestrator.engine.events import SILENCE_DBFS
from parley.audio.v1 import audio_pb2
from servicekit.audio import WireDecoder, level_dbfs

STEP_MS = 32.0
_LEAST_POWER = 10.0 ** (SILENCE_DBFS / 10.0)


class PlayedLevels:
    """Levels of one playout's sound, one for each 32 ms, as it is sent. A minute of it takes 8 kB."""

    def __init__(self, fmt: audio_pb2.AudioFormat) -> None:
        self._decoder = WireDecoder(fmt)
        self._step = int(fmt.sample_rate_hz * STEP_MS / 1000.0)
        self._levels = array("f")
        # A piece seldom ends with a step.
        self._begun: NDArray[np.float32] = np.zeros(0, np.float32)

    def push(self, payload: bytes) -> None:
        """The next sound that is sent, in the wire's format."""
        samples = np.concatenate((self._begun, self._decoder.decode(payload)))
        whole = len(samples) - len(samples) % self._step
        steps = samples[:whole].reshape(-1, self._step)
        power = np.einsum("ij,ij->i", steps, steps) / self._step
        self._levels.extend((10.0 * np.log10(np.maximum(power, _LEAST_POWER))).tolist())
        self._begun = samples[whole:]

    def at(self, position_ms: float) -> float:
        """Level at a position of the playout, in dBFS; silence before its beginning and behind its end."""
        index = int(position_ms // STEP_MS)
        if index == len(self._levels):
            return max(SILENCE_DBFS, level_dbfs(self._begun))
        return float(self._levels[index]) if 0 <= index < len(self._levels) else SILENCE_DBFS
