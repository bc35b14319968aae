"""From a contract's bytes to samples and back, in chunks of any length."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parley.audio.v1 import audio_pb2
from servicekit.audio.formats import bytes_per_sample, channels_of, require_samples
from servicekit.audio.g711 import decode_alaw, decode_mulaw, encode_alaw, encode_mulaw
from servicekit.audio.resampling import LiveResampler
from servicekit.audio.samples import to_float, to_int16


class WireDecoder:
    """Reads one stream of a format into mono samples; bytes of an incomplete sample wait for the next payload."""

    def __init__(self, fmt: audio_pb2.AudioFormat) -> None:
        """Read ``fmt``; UnsupportedFormatError unless it is mulaw, alaw or pcm_s16le at a stated rate."""
        require_samples(fmt)
        self._encoding = fmt.encoding
        self._channels = channels_of(fmt)
        self._width = bytes_per_sample(fmt)
        self._rest = b""

    def decode(self, payload: bytes) -> NDArray[np.float32]:
        """Decode a payload of any length to float32 samples ``[n]`` at the format's rate, channels averaged."""
        if self._rest:
            payload = self._rest + payload
            self._rest = b""
        odd = len(payload) % self._width
        if odd:
            payload, self._rest = payload[:-odd], payload[-odd:]
        samples = to_float(_linear(self._encoding, payload))
        if self._channels > 1:
            mixed: NDArray[np.float32] = samples.reshape(-1, self._channels).mean(axis=1, dtype=np.float32)
            return mixed
        return samples


class WireEncoder:
    """Writes mono samples as one stream of a format, resampling on the way where the rates differ."""

    def __init__(self, source_hz: int, fmt: audio_pb2.AudioFormat) -> None:
        """Write samples at ``source_hz`` as ``fmt``; UnsupportedFormatError as for `WireDecoder`."""
        require_samples(fmt)
        self._encoding = fmt.encoding
        self._channels = channels_of(fmt)
        self._resampler = LiveResampler(source_hz, fmt.sample_rate_hz) if source_hz != fmt.sample_rate_hz else None

    def encode(self, samples: NDArray[np.float32]) -> bytes:
        """Encode float32 samples ``[n]``; what the resampler still holds comes with later calls or `flush`."""
        return self._bytes(samples if self._resampler is None else self._resampler.process(samples))

    def flush(self) -> bytes:
        """Give the last bytes of the stream and start afresh."""
        return b"" if self._resampler is None else self._bytes(self._resampler.flush())

    def _bytes(self, samples: NDArray[np.float32]) -> bytes:
        if samples.shape[0] == 0:
            return b""
        whole = to_int16(samples)
        if self._channels > 1:
            whole = np.repeat(whole, self._channels)
        if self._encoding == audio_pb2.ENCODING_MULAW:
            return encode_mulaw(whole)
        if self._encoding == audio_pb2.ENCODING_ALAW:
            return encode_alaw(whole)
        return whole.astype("<i2", copy=False).tobytes()


def _linear(encoding: audio_pb2.Encoding.ValueType, payload: bytes) -> NDArray[np.int16]:
    if encoding == audio_pb2.ENCODING_MULAW:
        return decode_mulaw(payload)
    if encoding == audio_pb2.ENCODING_ALAW:
        return decode_alaw(payload)
    return np.frombuffer(payload, dtype="<i2").astype(np.int16, copy=False)
