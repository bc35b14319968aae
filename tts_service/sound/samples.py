"""Uncompressed sound as it arrives: samples without a header, and WAV, in pieces of any size."""

from __future__ import annotations

import struct
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from servicekit.audio import decode_alaw, decode_mulaw, to_float
from tts_service.sound.sniffing import NotSoundError

_PCM: Final = 1
_FLOAT: Final = 3
_ALAW: Final = 6
_MULAW: Final = 7
_EXTENSIBLE: Final = 0xFFFE
_LONGEST_HEADER: Final = 1 << 20
_SLOWEST_HZ, _FASTEST_HZ = 4000, 192_000


class Decoder(Protocol):
    """Turns bytes into mono float32 samples ``[n]`` as they come. All raise NotSoundError."""

    @property
    def rate_hz(self) -> int:
        """Of the samples; known once there are any."""
        ...

    async def feed(self, data: bytes) -> NDArray[np.float32]:
        """Take the next bytes."""
        ...

    async def finish(self) -> NDArray[np.float32]:
        """There are no more; give what is left."""
        ...

    def close(self) -> None:
        """Let go of it, finished or not. Idempotent."""
        ...


class RawDecoder:
    """Signed 16-bit little-endian mono samples; a byte that is half of one waits for the other."""

    def __init__(self, rate_hz: int) -> None:
        """At a rate that something else told."""
        self.rate_hz = rate_hz
        self._samples = _Samples(_PCM, 16, 1)

    async def feed(self, data: bytes) -> NDArray[np.float32]:
        """Take the next bytes."""
        return self._samples.read(data)

    async def finish(self) -> NDArray[np.float32]:
        """Nothing is held; half a sample is dropped."""
        return np.zeros(0, dtype=np.float32)

    def close(self) -> None:
        """Nothing to let go of."""


class WavDecoder:
    """WAV while it is still being written: a data chunk of unknown length (0 or 2³²−1) goes on to the end."""

    def __init__(self) -> None:
        self.rate_hz = 0
        self._header = bytearray()
        self._samples: _Samples | None = None
        self._left = 0

    async def feed(self, data: bytes) -> NDArray[np.float32]:
        """Take the next bytes."""
        if self._samples is None:
            self._header += data
            body = self._begin()
            if body is None or self._samples is None:
                if len(self._header) > _LONGEST_HEADER:
                    raise NotSoundError("it is a WAV file without sound")
                return np.zeros(0, dtype=np.float32)
            data = body
        data = data[: self._left]  # what follows the sound is titles and the like
        self._left -= len(data)
        return self._samples.read(data)

    async def finish(self) -> NDArray[np.float32]:
        """Nothing is held."""
        if self._samples is None:
            raise NotSoundError("it is a WAV file without sound")
        return np.zeros(0, dtype=np.float32)

    def close(self) -> None:
        """Nothing to let go of."""

    def _begin(self) -> bytes | None:
        """Read the header as far as it is here; the first of the sound once all of it is."""
        header, at, layout = self._header, 12, None
        while at + 8 <= len(header):
            name, size = struct.unpack_from("<4sI", header, at)
            if name == b"data":
                if layout is None:
                    raise NotSoundError("it is a WAV file that does not say what its samples are")
                self._samples = layout
                self._left = size if 0 < size < 0xFFFF_FF00 else 1 << 62
                return bytes(header[at + 8 :])
            if at + 8 + size > len(header):
                return None
            if name == b"fmt ":
                layout = self._layout(bytes(header[at + 8 : at + 8 + size]))
            at += 8 + size + size % 2
        return None

    def _layout(self, chunk: bytes) -> _Samples:
        if len(chunk) < 16:
            raise NotSoundError("it is a WAV file whose header is cut short")
        encoding, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
        if encoding == _EXTENSIBLE and len(chunk) >= 26:
            (encoding,) = struct.unpack_from("<H", chunk, 24)
        if not 1 <= channels <= 8 or not _SLOWEST_HZ <= rate_hz <= _FASTEST_HZ:
            raise NotSoundError(f"it is a WAV file of {channels} channels at {rate_hz} Hz")
        self.rate_hz = rate_hz
        return _Samples(encoding, bits, channels)


class _Samples:
    """Interleaved samples of one layout, mixed down; the bytes of an incomplete one wait."""

    def __init__(self, encoding: int, bits: int, channels: int) -> None:
        known = {(_PCM, 8), (_PCM, 16), (_PCM, 24), (_PCM, 32), (_FLOAT, 32), (_FLOAT, 64), (_ALAW, 8), (_MULAW, 8)}
        if (encoding, bits) not in known:
            raise NotSoundError(f"it is a WAV file of encoding {encoding} with {bits} bits")
        self._encoding = encoding
        self._bits = bits
        self._channels = channels
        self._width = bits // 8 * channels
        self._rest = b""

    def read(self, data: bytes) -> NDArray[np.float32]:
        data = self._rest + data
        whole = len(data) - len(data) % self._width
        data, self._rest = data[:whole], data[whole:]
        samples = self._linear(data)
        if self._channels == 1:
            return samples
        mixed: NDArray[np.float32] = samples.reshape(-1, self._channels).mean(axis=1, dtype=np.float32)
        return mixed

    def _linear(self, data: bytes) -> NDArray[np.float32]:
        if self._encoding == _FLOAT:
            samples = np.frombuffer(data, "<f4" if self._bits == 32 else "<f8").astype(np.float32)
            if not np.isfinite(samples).all():
                raise NotSoundError("its samples are no numbers")
            return samples
        if self._encoding == _ALAW:
            return to_float(decode_alaw(data))
        if self._encoding == _MULAW:
            return to_float(decode_mulaw(data))
        if self._bits == 8:  # unsigned, as the only width
            return (np.frombuffer(data, "u1").astype(np.float32) - np.float32(128)) / np.float32(128)
        if self._bits == 24:
            padded = np.zeros((len(data) // 3, 4), dtype=np.uint8)
            padded[:, 1:] = np.frombuffer(data, "u1").reshape(-1, 3)
            return padded.view("<i4").reshape(-1).astype(np.float32) / np.float32(1 << 31)
        if self._bits == 32:
            return np.frombuffer(data, "<i4").astype(np.float32) / np.float32(1 << 31)
        return to_float(np.frombuffer(data, "<i2").astype(np.int16, copy=False))
