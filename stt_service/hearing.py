"""From the wire's bytes to the engine's samples."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from parley.audio.v1 import audio_pb2
from servicekit.audio import MULAW_8K, LiveResampler, WireDecoder, describe, pcm, same_format

FORMATS: Final = (
    MULAW_8K,
    audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_ALAW, sample_rate_hz=8000, channels=1),
    pcm(8000),
    pcm(16_000),
    pcm(24_000),
    pcm(48_000),
)
"""What Recognize takes; the telephone's first. Constants."""


class AudioTooLongError(Exception):
    """The utterance is longer than the settings allow; the message says how long it may be."""


def is_understood(fmt: audio_pb2.AudioFormat) -> bool:
    """Whether the format is one of FORMATS."""
    return any(same_format(fmt, known) for known in FORMATS)


def offered() -> str:
    """The formats in words, for a refusal."""
    return ", ".join(describe(fmt) for fmt in FORMATS)


class Hearing:
    """Decodes one utterance and brings it to the engine's rate as it comes in."""

    def __init__(self, fmt: audio_pb2.AudioFormat, engine_hz: int, *, longest_s: float) -> None:
        """Read ``fmt`` (one of FORMATS), give samples at ``engine_hz``, take no more than ``longest_s`` of audio."""
        self._decoder = WireDecoder(fmt)
        self._rate_hz = fmt.sample_rate_hz
        self._resampler = LiveResampler(fmt.sample_rate_hz, engine_hz) if fmt.sample_rate_hz != engine_hz else None
        self._longest_s = longest_s
        self._samples = 0

    @property
    def seconds(self) -> float:
        """Audio heard so far."""
        return self._samples / self._rate_hz

    @property
    def rate_hz(self) -> int:
        """The stream's own rate: the scale of its word times."""
        return self._rate_hz

    def hear(self, payload: bytes) -> NDArray[np.float32]:
        """Decode a payload of any length to float32 samples ``[n]``, mono, at the engine's rate.

        Raises AudioTooLongError for audio beyond the longest utterance.
        """
        samples = self._decoder.decode(payload)
        self._samples += samples.shape[0]
        if self.seconds > self._longest_s:
            raise AudioTooLongError(
                f"the utterance is longer than {self._longest_s:g} s; finish it earlier or raise stt.max_utterance_s"
            )
        return samples if self._resampler is None else self._resampler.process(samples)
