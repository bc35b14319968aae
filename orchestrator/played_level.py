"""How loud is what the caller hears of us right now? For telling our echo from their voice."""

from __future__ import annotations

from array import array

from orchestrator.engine.events import SILENCE_DBFS
from parley.audio.v1 import audio_pb2
from servicekit.audio import WireDecoder, level_dbfs

STEP_MS = 32.0


class PlayedLevels:
    """Levels of one playout's sound, one for each 32 ms, as it is sent. A minute of it takes 8 kB."""

    def __init__(self, fmt: audio_pb2.AudioFormat) -> None:
        self._decoder = WireDecoder(fmt)
        self._step = int(fmt.sample_rate_hz * STEP_MS / 1000.0)
        self._levels = array("f")
        self._samples = 0

    def push(self, payload: bytes) -> None:
        """The next sound that is sent, in the wire's format."""
        samples = self._decoder.decode(payload)
        # A piece seldom ends with a step; what begins in it belongs to the step where it begins.
        for start in range(0, len(samples), self._step):
            level = level_dbfs(samples[start : start + self._step])
            index = (self._samples + start) // self._step
            if index < len(self._levels):
                self._levels[index] = max(self._levels[index], level)
            else:
                self._levels.append(level)
        self._samples += len(samples)

    def at(self, position_ms: float) -> float:
        """Level at a position of the playout, in dBFS; silence before its beginning and behind its end."""
        index = int(position_ms // STEP_MS)
        return float(self._levels[index]) if 0 <= index < len(self._levels) else SILENCE_DBFS
