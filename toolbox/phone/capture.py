"""Taking down what the caller does: audio for `<Record>`, keys for `<Gather>`. Pure outlets of a handset."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from toolbox.phone.heard import loudest_power, power_of_dbfs
from toolbox.phone.knobs import SAMPLE_RATE_HZ

_MARGIN = SAMPLE_RATE_HZ // 10
"""Audio kept around what is voiced when silence is trimmed."""

RecordEnd = Literal["silence", "key", "length", "hangup"]


class Recorder:
    """Records frames until the caller falls silent, presses a key, or the length is reached."""

    def __init__(
        self,
        *,
        timeout_s: float,
        max_length_s: float,
        finish_on_key: str,
        floor_dbfs: float,
        on_end: Callable[[], None],
    ) -> None:
        self._timeout = round(timeout_s * SAMPLE_RATE_HZ)
        self._max_length = round(max_length_s * SAMPLE_RATE_HZ)
        self._keys = finish_on_key
        self._floor = power_of_dbfs(floor_dbfs)
        self._on_end = on_end
        self._audio = bytearray()
        self._first_voiced: int | None = None
        self._last_voiced = 0
        self.ended: RecordEnd | None = None
        self.digits = ""

    def frame(self, audio: bytes, position: int) -> None:
        """Record one frame."""
        if self.ended:
            return
        start = len(self._audio)
        self._audio += audio[: self._max_length - start]
        if loudest_power(audio) > self._floor:
            self._first_voiced = start if self._first_voiced is None else self._first_voiced
            self._last_voiced = len(self._audio)
        if len(self._audio) >= self._max_length:
            self.end("length")
        elif len(self._audio) - self._last_voiced >= self._timeout:
            self.end("silence")

    def digit(self, digit: str) -> None:
        """A key may end the recording."""
        if not self.ended and digit in self._keys:
            self.digits = digit
            self.end("key")

    def end(self, why: RecordEnd) -> None:
        """Stop recording."""
        if self.ended is None:
            self.ended = why
            if why == "hangup":
                self.digits = "hangup"
            self._on_end()

    def audio(self, *, trim: bool) -> bytes:
        """The recording as μ-law; empty when nothing was said."""
        if self._first_voiced is None:
            return b""
        if not trim:
            return bytes(self._audio)
        return bytes(self._audio[max(0, self._first_voiced - _MARGIN) : self._last_voiced + _MARGIN])


def recording_seconds(audio: bytes) -> int:
    """The duration Twilio reports: whole seconds, at least one."""
    return max(1, math.floor(len(audio) / SAMPLE_RATE_HZ + 0.5))


class DigitCollector:
    """Collects keys until the finishing key or the number of digits."""

    def __init__(self, *, num_digits: int | None, finish_on_key: str, on_change: Callable[[], None]) -> None:
        self._num_digits = num_digits
        self._finish = finish_on_key
        self._on_change = on_change
        self.digits = ""
        self.finished = False
        self.presses = 0

    def frame(self, audio: bytes, position: int) -> None:
        """Audio is not listened to: speech input is not simulated."""

    def digit(self, digit: str) -> None:
        """Take one key."""
        if self.finished:
            return
        self.presses += 1
        if digit in self._finish:
            self.finished = True
        else:
            self.digits += digit
            self.finished = self._num_digits is not None and len(self.digits) >= self._num_digits
        self._on_change()
