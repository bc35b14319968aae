"""The caller's sound as it comes in: its place in media time, its windows, and its last moments for a pre-roll."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.clean_up import CleanUp
from orchestrator.vad import RATE_HZ, SpeechModel, VoiceActivity
from parley.audio.v1 import audio_pb2
from servicekit.audio import WireDecoder, bytes_per_sample

# Offsets that differ from what was counted by less than this are a rounding of the sender's, not lost sound.
_GAP_MS = 40.0


@dataclass(frozen=True, slots=True)
class Window:
    """A judged window ending at ``end_ms`` of media time; its float32 samples ``[512]`` are at 16 kHz."""

    end_ms: float
    probability: float
    level_dbfs: float
    samples: NDArray[np.float32]


class CallerAudio:
    """One call's incoming sound. ``kept_ms`` of it stay available for the utterance that turns out to have begun."""

    def __init__(
        self, fmt: audio_pb2.AudioFormat, model: SpeechModel, *, kept_ms: float, clean_up: CleanUp | None = None
    ) -> None:
        """Judge sound in ``fmt`` by ``model``, after ``clean_up`` where there is one."""
        self._decoder = WireDecoder(fmt)
        self._activity = VoiceActivity(model, fmt.sample_rate_hz)
        self._bytes_per_sample = bytes_per_sample(fmt)
        self._ms_per_byte = 1000.0 / (self._bytes_per_sample * fmt.sample_rate_hz)
        self._clean_up = clean_up
        self._undecoded = bytearray()
        self._kept_ms = kept_ms
        self._kept: deque[tuple[float, bytes]] = deque()
        self.media_ms = 0.0
        """Media time up to which sound has come."""

    def duration_ms(self, payload: bytes) -> float:
        """How long a payload sounds."""
        return len(payload) * self._ms_per_byte

    def push(self, payload: bytes, offset_ms: float) -> Iterator[Window]:
        """Take the next payload, beginning at ``offset_ms``; give the windows it completes.

        Sound that was lost on the way moves media time on; an offset that goes back is not believed.
        """
        if offset_ms > self.media_ms + _GAP_MS:
            self.media_ms = offset_ms
        start_ms = self.media_ms
        self.media_ms += self.duration_ms(payload)
        self._kept.append((start_ms, payload))
        while self._kept and self._kept[0][0] < self.media_ms - self._kept_ms:
            self._kept.popleft()
        end_ms = self.media_ms
        # Decoding in pieces of a window costs less than frame by frame.
        self._undecoded += payload
        if len(self._undecoded) < self._activity.wanting * self._bytes_per_sample:
            return
        samples = self._decoder.decode(bytes(self._undecoded))
        self._undecoded.clear()
        if self._clean_up is not None:
            samples = self._clean_up.process(samples)
            end_ms -= self._clean_up.behind_ms
        for window in self._activity.push(samples):
            yield Window(
                end_ms - window.waiting * 1000.0 / RATE_HZ, window.probability, window.level_dbfs, window.samples
            )

    def since(self, from_ms: float) -> Iterator[bytes]:
        """The sound from ``from_ms`` on, as far back as it is kept, in whole payloads."""
        for start_ms, payload in self._kept:
            if start_ms + self.duration_ms(payload) > from_ms:
                yield payload
