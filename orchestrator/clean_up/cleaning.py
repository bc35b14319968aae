"""Noise suppression and level control for one caller, by WebRTC's audio processing (package `pywebrtc-audio`).

It is what browsers do to a microphone: a Wiener filter whose noise estimate adapts within a second or two, and an
adaptive gain with a limiter (AGC2). Its high-pass stays off: the suppressor does that work better.
Why this one, and what it is worth in figures: docs/decisions/0004-input-clean-up.md.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from orchestrator.clean_up.settings import CleanUpSettings, NoiseSuppression
from servicekit.startup import StartupError

_SECTION = "orchestrator.clean_up"
_FRAMES_PER_S = 100
# WebRTC's own numbering.
_LEVELS: Mapping[NoiseSuppression, int] = {"low": 0, "moderate": 1, "high": 2, "very_high": 3}
# How much later sound comes out than it went in: the suppressor's overlapping windows, and the resampling to the rate
# it works at (16 or 48 kHz) and back. Measured at each rate; a test holds them to it.
_SUPPRESSION_MS = 6.0
_RESAMPLING_MS: Mapping[int, float] = {8_000: 3.0, 16_000: 0.0, 24_000: 1.29, 48_000: 1.0}


class _Processor(Protocol):
    def process(self, near: NDArray[np.float32]) -> NDArray[np.float32]: ...


def check(settings: CleanUpSettings) -> None:
    """At start: StartupError, naming the setting and the remedy, when what the settings ask for is not installed."""
    if settings.wanted and importlib.util.find_spec("pywebrtc_audio") is None:
        asking = f"{_SECTION}.{'noise_suppression' if settings.noise_suppression != 'off' else 'level_control'}"
        raise StartupError(
            f"{asking} is set, but pywebrtc-audio is not installed: install Parley's extra `orchestrator-clean-up`, "
            "or leave the setting off"
        )


def open_clean_up(settings: CleanUpSettings, rate_hz: int) -> CleanUp | None:
    """The clean-up of one caller, whose sound comes at 8, 16, 24 or 48 kHz; None where the settings ask for none.

    Takes less than a millisecond. ValueError for another rate; ImportError where `check` would have refused to start.
    """
    if not settings.wanted:
        return None
    if rate_hz not in _RESAMPLING_MS:
        raise ValueError(f"sound at {rate_hz} Hz cannot be cleaned; these rates can: {sorted(_RESAMPLING_MS)}")
    from pywebrtc_audio import AudioProcessor  # noqa: PLC0415 - an extra of its own

    suppress = settings.noise_suppression != "off"
    processor: _Processor = AudioProcessor(
        sample_rate=rate_hz,
        noise_suppression=suppress,
        ns_level=_LEVELS.get(settings.noise_suppression, 0),
        auto_gain_control=settings.level_control,
    )
    return CleanUp(processor, rate_hz, (_SUPPRESSION_MS if suppress else 0.0) + _RESAMPLING_MS[rate_hz])


class CleanUp:
    """Cleans one caller's stream in frames of 10 ms, chunk by chunk. Not thread-safe; one instance per call.

    It costs about 1.5 µs a millisecond of sound, so it runs where the sound is: on the event loop, as speech detection
    does.
    """

    def __init__(self, processor: _Processor, rate_hz: int, delay_ms: float) -> None:
        """Clean by ``processor``, which delays sound at ``rate_hz`` by ``delay_ms``; see `open_clean_up`."""
        self._processor = processor
        self._rate_hz = rate_hz
        self._frame = rate_hz // _FRAMES_PER_S
        self._delay_ms = delay_ms
        self._waiting: NDArray[np.float32] = np.zeros(0, dtype=np.float32)

    @property
    def behind_ms(self) -> float:
        """How far the last sample given lies behind the last sample taken, in ms.

        The processor's own delay, 0 to 9 ms, and what waits for its frame of 10 ms to be full: nothing, as long as
        chunks are whole frames.
        """
        return self._delay_ms + len(self._waiting) * 1000.0 / self._rate_hz

    def process(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take float32 samples ``[n]`` at the caller's rate; give the frames they complete, ``[m]``, possibly empty.

        Full scale is ±1; with level control, peaks may lie a little above it.
        """
        waiting = np.concatenate((self._waiting, samples)) if self._waiting.shape[0] else samples
        whole = waiting.shape[0] // self._frame * self._frame
        self._waiting = waiting[whole:].copy()
        if whole == 0:
            return np.zeros(0, dtype=np.float32)
        return self._processor.process(np.ascontiguousarray(waiting[:whole], dtype=np.float32))
