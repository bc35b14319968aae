"""The beginning and the cuts of speech: silence that nobody should wait for, edges that nobody should hear."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

AUDIBLE = 10 ** (-45 / 20)
"""Amplitude from which a sample counts as heard: -45 dBFS."""

_LEAD_MS = 10
_FADE_MS = 5
_SHORTEST_FADE_MS = 1
_LONGEST_SILENCE_MS = 2000


class LeadingSilence:
    """Drops the silence before a segment's first audible sample, however it is cut into chunks, and fades the cut in.

    10 ms before the first audible sample are kept, since consonants begin softly. What stays inaudible for 2 s is let
    through: an engine that whispers is not to be muted.
    """

    def __init__(self, rate_hz: int) -> None:
        self._lead = rate_hz * _LEAD_MS // 1000
        self._fade = rate_hz * _FADE_MS // 1000
        self._shortest_fade = rate_hz * _SHORTEST_FADE_MS // 1000
        self._ramp = np.zeros(0, dtype=np.float32)
        self._patience = rate_hz * _LONGEST_SILENCE_MS // 1000
        self._held = np.zeros(0, dtype=np.float32)
        self._found = False
        self.dropped = 0
        """Samples dropped up to now."""

    def trim(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the next samples [n]; give those to be heard, shape [m], m ≤ n plus the 10 ms held back."""
        if self._found:
            return self._faded_in(samples)
        window = np.concatenate([self._held, samples])
        audible = np.flatnonzero(np.abs(window) >= AUDIBLE)
        if not len(audible) and self.dropped + len(window) < self._patience:
            start = max(0, len(window) - self._lead)
            self._held = window[start:]
            self.dropped += start
            return window[:0]
        first = int(audible[0]) if len(audible) else len(window)
        start = max(0, first - self._lead)
        self.dropped += start
        self._found = True
        self._held = self._held[:0]
        # Over what is inaudible anyway; an engine that begins with a bang gets a millisecond.
        self._ramp = np.linspace(
            0.0, 1.0, max(self._shortest_fade, min(self._fade, first - start)), endpoint=False, dtype=np.float32
        )
        return self._faded_in(window[start:])

    def release(self) -> NDArray[np.float32]:
        """The passage ended: give what was held back while waiting for something audible, and start afresh."""
        held, self._held = self._held, self._held[:0]
        return held

    def _faded_in(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        length = min(len(self._ramp), len(samples))
        if not length:
            return samples
        faded = samples.copy()
        faded[:length] *= self._ramp[:length]
        self._ramp = self._ramp[length:]
        return faded


class FadedEnd:
    """Lets a stretch of speech fall to silence in its last 5 ms, however it is cut into chunks: they are held back."""

    def __init__(self, rate_hz: int) -> None:
        self._length = rate_hz * _FADE_MS // 1000
        self._held = np.zeros(0, dtype=np.float32)

    def pass_on(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the next samples [n]; give those that are not the last ones for certain."""
        line = np.concatenate([self._held, samples])
        split = max(0, len(line) - self._length)
        self._held = line[split:]
        return line[:split]

    def end(self) -> NDArray[np.float32]:
        """The speech ended: its last samples, faded out."""
        held, self._held = self._held, self._held[:0]
        return held * np.linspace(1.0, 0.0, len(held), dtype=np.float32)


def fade_edges(samples: NDArray[np.float32], rate_hz: int, milliseconds: int = _FADE_MS) -> NDArray[np.float32]:
    """A copy [n] whose first and last few milliseconds rise from and fall to silence, so that joins do not click."""
    faded = samples.copy()
    length = min(rate_hz * milliseconds // 1000, len(faded) // 2)
    if length > 0:
        ramp = np.linspace(0.0, 1.0, length, endpoint=False, dtype=np.float32)
        faded[:length] *= ramp
        faded[-length:] *= ramp[::-1]
    return faded


def trim_pauses(
    samples: NDArray[np.float32], rate_hz: int, *, before_ms: int, after_ms: int
) -> tuple[NDArray[np.float32], int]:
    """Shorten the silence around a piece of speech to at most `before_ms` and `after_ms`.

    Returns the samples [m] and how many were taken from the start. A piece without an audible sample stays as it is.
    """
    audible = np.flatnonzero(np.abs(samples) >= AUDIBLE)
    if not len(audible):
        return samples, 0
    start = max(0, int(audible[0]) - rate_hz * before_ms // 1000)
    end = min(len(samples), int(audible[-1]) + 1 + rate_hz * after_ms // 1000)
    return samples[start:end], start
