"""One answer's sound: what it is, decoded as it comes, at the rate one wants."""

from __future__ import annotations

from concurrent.futures import Executor
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from servicekit.audio import LiveResampler
from tts_service.sound.compressed import CompressedDecoder
from tts_service.sound.samples import Decoder, RawDecoder, WavDecoder
from tts_service.sound.sniffing import HEAD_BYTES, Kind, NotSoundError, kind_of

__all__ = ["SLICE_BYTES", "NotSoundError", "SoundReader"]

SLICE_BYTES: Final = 4096
"""A good number of bytes to feed at once: 0.7 s of MP3 at 48 kbit/s, 1 ms of work."""


class SoundReader:
    """Reads bytes of unknown kind into mono float32 at one rate. A context manager, on the event loop."""

    def __init__(self, rate_hz: int, executor: Executor, *, raw_rate_hz: int = 24_000) -> None:
        """Prepare.

        Args:
            rate_hz: Of the samples that are given.
            executor: Where compressed sound is decoded.
            raw_rate_hz: The rate where it has no header and nobody tells another.
        """
        self._rate_hz = rate_hz
        self._executor = executor
        self._media_type = ""
        self._raw_rate_hz = raw_rate_hz
        self._head = b""
        self._decoder: Decoder | None = None
        self._resampler: LiveResampler | None = None
        self.kind: Kind | None = None
        """What it turned out to be; None as long as too little has come."""

    @property
    def source_hz(self) -> int:
        """The rate that it came in; 0 as long as that is not known."""
        return self._decoder.rate_hz if self._decoder is not None else 0

    def describe(self, media_type: str, raw_rate_hz: int = 0) -> None:
        """What the sender calls it, and its rate where it has no header, if that is told. What it is counts more."""
        self._media_type = media_type
        self._raw_rate_hz = raw_rate_hz or self._raw_rate_hz

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._decoder is not None:
            self._decoder.close()

    async def feed(self, data: bytes) -> NDArray[np.float32]:
        """Take the next bytes; give the samples ``[n]`` that they complete. Raises NotSoundError."""
        if self._decoder is None:
            self._head += data
            if len(self._head) < HEAD_BYTES:
                return np.zeros(0, dtype=np.float32)
            data = self._begin()
        return await self._decoded(data)

    async def finish(self) -> NDArray[np.float32]:
        """The sound is complete; give what is left. Raises NotSoundError."""
        if self._decoder is None and not self._head:
            return np.zeros(0, dtype=np.float32)
        first = await self._decoded(self._begin()) if self._decoder is None else np.zeros(0, dtype=np.float32)
        assert self._decoder is not None
        rest = self._resampled(await self._decoder.finish())
        held = self._resampler.flush() if self._resampler is not None else np.zeros(0, dtype=np.float32)
        return np.concatenate([first, rest, held])

    def _begin(self) -> bytes:
        self.kind = kind_of(self._head[:HEAD_BYTES], self._media_type)
        if self.kind == "raw":
            self._decoder = RawDecoder(self._raw_rate_hz)
        elif self.kind == "wav":
            self._decoder = WavDecoder()
        else:
            self._decoder = CompressedDecoder(self.kind, self._executor)
        head, self._head = self._head, b""
        return head

    async def _decoded(self, data: bytes) -> NDArray[np.float32]:
        assert self._decoder is not None
        return self._resampled(await self._decoder.feed(data))

    def _resampled(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        if not len(samples) or self.source_hz == self._rate_hz:
            return samples
        if self._resampler is None:
            self._resampler = LiveResampler(self.source_hz, self._rate_hz)
        return self._resampler.process(samples)
