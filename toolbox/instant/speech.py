"""Speech that is rendered once and then only cut: real voice, no work."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from parley.audio.v1 import audio_pb2
from servicekit.audio import WireEncoder, bytes_per_sample, resample
from tts_service import espeak_speech

_TEXT = (
    "Here is what I have found for you, and I shall tell it slowly. Once there was a lighthouse keeper who counted "
    "every ship that passed, and wrote its name into a book bound in blue leather. One evening a ship came by that had "
    "no name at all, and so the keeper rowed out to ask its captain why."
)
_FRAME_S = 0.02
_AUDIBLE_DBFS = -45.0


class RenderedSpeech:
    """A long stretch of speech in every wire format, from which replies of any length are cut.

    It starts with sound at once, as engines that trim their leading silence do: what is measured until a reply is
    heard is then not the voice's own breath.
    """

    def __init__(self, voice: str) -> None:
        samples, self._rate_hz = espeak_speech(_TEXT, voice)
        self._samples = _trimmed(samples, self._rate_hz)
        self._by_format: dict[tuple[int, int], bytes] = {}

    def cut(self, fmt: audio_pb2.AudioFormat, samples: int, step: int) -> Iterator[bytes]:
        """The first so many samples in a mono format, in pieces of so many; repeats where it is not long enough."""
        whole, width = self._in(fmt), bytes_per_sample(fmt)
        for start in range(0, samples, step):
            at = start * width % len(whole)
            size = min(step, samples - start) * width
            piece = whole[at : at + size]
            yield piece if len(piece) == size else (piece + whole * (size // len(whole) + 1))[:size]

    def _in(self, fmt: audio_pb2.AudioFormat) -> bytes:
        key = (fmt.encoding, fmt.sample_rate_hz)
        if key not in self._by_format:
            at_rate = resample(self._samples, self._rate_hz, fmt.sample_rate_hz)
            encoder = WireEncoder(fmt.sample_rate_hz, fmt)
            self._by_format[key] = encoder.encode(at_rate) + encoder.flush()
        return self._by_format[key]


def _trimmed(samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    frame = round(rate_hz * _FRAME_S)
    frames = samples[: samples.size // frame * frame].reshape(-1, frame)
    loud = np.flatnonzero(np.square(frames).mean(axis=1) > 10 ** (_AUDIBLE_DBFS / 10))
    return samples[int(loud[0]) * frame : (int(loud[-1]) + 1) * frame]
