"""One segment from an engine's chunks to wire audio and word positions. Does no I/O."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from parley.audio.v1 import audio_pb2
from servicekit.audio import WireEncoder, bytes_per_sample
from tts_service.cache import CachedRange, CachedSegment
from tts_service.edges import FadedEnd, LeadingSilence
from tts_service.levels import SpeechLevel, VoiceLevels, speech_level
from tts_service.speech import EngineError, SpeechChunk, WordSpan

_QUIETEST = np.float32(-1.0)
_LOUDEST = np.float32(np.nextafter(np.float32(1.0), np.float32(0.0)))
_FALL_MS = 5
_MEASURED_S = 10
"""How much of a segment its level is taken from."""
_KEPT_BYTES = 4_000_000
"""Longest sound that is kept: eight minutes for the telephone, 40 s at 48 kHz. Longer texts are not said twice."""


class SegmentSound:
    """A segment that stands alone: silence before it trimmed, levelled, edges faded, encoded from its first sample on.

    Standing alone is what lets it be kept and put anywhere in any reply. The gain is one for the whole segment,
    unless it was a guess that proves too much.
    """

    def __init__(self, source_hz: int, fmt: audio_pb2.AudioFormat, levels: VoiceLevels, gain: float | None) -> None:
        """`source_hz` is the engine's rate; no gain means that the first chunk decides."""
        self._source_hz = source_hz
        self._rate_hz = fmt.sample_rate_hz
        self._width = bytes_per_sample(fmt)
        self._encoder = WireEncoder(source_hz, fmt)
        self._silence = LeadingSilence(source_hz)
        self._end = FadedEnd(source_hz)
        self._levels = levels
        self._gain = gain
        self.level_known = gain is not None
        """Whether the gain is the voice's own, not a guess by its first chunk."""
        self.stands_in = False
        """Whether another voice spoke in the place of the one that was asked for."""
        self._heard: list[NDArray[np.float32]] = []
        self._heard_samples = 0
        self._payload: list[bytes] = []
        self._payload_bytes = 0
        self._samples = 0
        self._waiting: deque[CachedRange] = deque()
        self._ranges: list[CachedRange] = []
        self._aligned_text = 0
        self._aligned_sample = 0

    def add(self, chunk: SpeechChunk) -> bytes:
        """The segment goes on: the next of its wire audio. Raises EngineError for what is no sound."""
        samples = _checked(chunk.samples)
        if chunk.stands_in and not self.stands_in:
            # Nothing is known of who speaks now, and nothing is to be learned or kept of it under another's name.
            self.stands_in, self._gain = True, None
        if len(samples):
            self._measure(samples)
            samples = self._levelled(samples)
        payload = self._encoded(self._end.pass_on(self._silence.trim(samples)))
        for word in chunk.words:
            self._align(word)
        return payload

    def end(self) -> bytes:
        """The segment is complete: the last of its wire audio."""
        held = self._end.pass_on(self._silence.release())
        payload = self._encoded(held) + self._encoded(self._end.end())
        rest = self._encoder.flush()
        self._note(rest)
        for _ in range(len(self._waiting)):
            word = self._waiting.popleft()
            start, end = min(word.start_sample, self._samples), min(word.end_sample, self._samples)
            self._waiting.append(CachedRange(word.text_start, word.text_end, start, end))
        return payload + rest

    def words(self) -> list[CachedRange]:
        """Words whose sound has come out since the last call."""
        ready: list[CachedRange] = []
        while self._waiting and self._waiting[0].end_sample <= self._samples:
            word = self._waiting.popleft()
            if word.start_sample < word.end_sample:
                ready.append(word)
        self._ranges += ready
        return ready

    def level(self) -> SpeechLevel:
        """How loud the engine spoke it, before the gain."""
        sound = np.concatenate(self._heard) if self._heard else np.zeros(0, dtype=np.float32)
        return speech_level(sound, self._source_hz)

    def whole(self) -> CachedSegment | None:
        """The segment as it is kept, once it has ended and its words were taken; None for one that is too long."""
        if self._payload_bytes > _KEPT_BYTES:
            return None
        return CachedSegment(b"".join(self._payload), tuple(self._ranges))

    def _levelled(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._gain is None:
            self._gain = self._levels.guess(speech_level(samples, self._source_hz))
        gain = self._gain
        if gain > 1.0 and not self.level_known and (fitting := max(1.0, self._levels.fitting_gain(samples))) < gain:
            # Guessed by a beginning that was quieter than the rest: the guess gives way, the sound is not clipped.
            self._gain = fitting
            length = min(len(samples), self._source_hz * _FALL_MS // 1000)
            falling = np.linspace(gain, fitting, length, dtype=np.float32)
            louder: NDArray[np.float32] = samples * np.float32(fitting)
            louder[:length] = samples[:length] * falling
            return np.clip(louder, _QUIETEST, _LOUDEST)
        return samples if gain == 1.0 else np.clip(samples * np.float32(gain), _QUIETEST, _LOUDEST)

    def _measure(self, samples: NDArray[np.float32]) -> None:
        if self._heard_samples < _MEASURED_S * self._source_hz:
            self._heard.append(samples)
            self._heard_samples += len(samples)

    def _encoded(self, samples: NDArray[np.float32]) -> bytes:
        payload = self._encoder.encode(samples) if len(samples) else b""
        self._note(payload)
        return payload

    def _note(self, payload: bytes) -> None:
        if payload:
            self._payload_bytes += len(payload)
            if self._payload_bytes <= _KEPT_BYTES:
                self._payload.append(payload)
            else:
                self._payload.clear()
            self._samples += len(payload) // self._width

    def _align(self, word: WordSpan) -> None:
        start = max(self._aligned_sample, self._position(word.start_sample))
        end = self._position(word.end_sample)
        if word.text_start < self._aligned_text or word.text_end <= word.text_start or end <= start:
            return  # an engine's slip: a range that goes back would break the contract, one word less does not
        self._aligned_text, self._aligned_sample = word.text_end, end
        self._waiting.append(CachedRange(word.text_start, word.text_end, start, end))

    def _position(self, sample: int) -> int:
        """From the engine's samples to the wire's, without the silence that was dropped."""
        return round(max(0, sample - self._silence.dropped) * self._rate_hz / self._source_hz)


def _checked(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """What an engine gave, clipped; NaN and infinity are refused, since what made them makes no speech either."""
    # One pass over good sound: a comparison with NaN is false.
    if not len(samples) or np.abs(samples).max() <= 1.0:
        return samples
    if not np.isfinite(samples).all():
        raise EngineError("the engine gave samples that are no numbers")
    return np.clip(samples, _QUIETEST, _LOUDEST)
