"""Compressed sound as it arrives, decoded by FFmpeg's libraries through PyAV, off the event loop.

FFmpeg pulls: it wants a file to read from, and waits in `read` where there is nothing yet. So each stream has a thread,
and the two hand over in turns: `feed` gives bytes and waits until the thread wants more.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Executor
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tts_service.sound.sniffing import Kind, NotSoundError

_CONTAINERS: Final[dict[Kind, str]] = {"mp3": "mp3", "ogg": "ogg", "flac": "flac", "aac": "aac"}
_READ_BYTES: Final = 512
"""FFmpeg fills its buffer before it looks at it: a small one is what lets the first sound out early (256 ms of MP3)."""
_MOST_SPOILT: Final = 20
_SLOWEST_HZ, _FASTEST_HZ = 4000, 192_000


class CompressedDecoder:
    """MP3, Opus or Vorbis in Ogg, FLAC or AAC, in pieces of any size."""

    def __init__(self, kind: Kind, executor: Executor) -> None:
        """Decode in a thread of `executor`, which must have one free for each stream that is open."""
        self.rate_hz = 0
        self._kind = kind
        self._loop = asyncio.get_running_loop()
        self._turn = threading.Condition()
        self._input = bytearray()
        self._complete = False
        self._closed = False
        self._hungry = False
        self._output: list[NDArray[np.float32]] = []
        self._idle = asyncio.Event()
        self._work = self._loop.run_in_executor(executor, self._decode)
        self._work.add_done_callback(self._on_end)

    async def feed(self, data: bytes) -> NDArray[np.float32]:
        """Take the next bytes; give the samples ``[n]`` that they complete."""
        if not data:
            return np.zeros(0, dtype=np.float32)
        return await self._hand_over(data, complete=False)

    async def finish(self) -> NDArray[np.float32]:
        """There are no more bytes; give what is left."""
        return await self._hand_over(b"", complete=True)

    def close(self) -> None:
        """Have the thread end at its next read; what it finds is lost."""
        with self._turn:
            self._closed = True
            self._turn.notify_all()

    async def _hand_over(self, data: bytes, *, complete: bool) -> NDArray[np.float32]:
        with self._turn:
            self._input += data
            self._complete = complete
            self._hungry = False
            self._turn.notify_all()
        while not self._work.done():
            self._idle.clear()
            with self._turn:
                if self._hungry:
                    break
            await self._idle.wait()
        else:
            self._work.result()  # raises NotSoundError
        with self._turn:
            samples, self._output = self._output, []
        return np.concatenate([np.zeros(0, dtype=np.float32), *samples])

    def _on_end(self, work: asyncio.Future[None]) -> None:
        if not work.cancelled():
            work.exception()  # looked at even when nobody reads on, so that asyncio does not complain
        self._idle.set()

    # In the thread.

    def read(self, size: int) -> bytes:
        """The next bytes, as FFmpeg asks for them; waits for some, gives none at the end."""
        with self._turn:
            if not self._input and not self._complete and not self._closed:
                self._hungry = True
                self._tell_idle()
                self._turn.wait_for(lambda: self._input or self._complete or self._closed)
            if self._closed:
                return b""
            given = bytes(self._input[:size])
            del self._input[:size]
            return given

    def _tell_idle(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._idle.set)
        except RuntimeError:  # the loop is closed: nobody waits any more
            self._closed = True

    def _decode(self) -> None:
        import av  # noqa: PLC0415 - only where something compressed has come
        from av.error import FFmpegError  # noqa: PLC0415

        try:
            with av.open(
                self,
                "r",
                format=_CONTAINERS[self._kind],
                options={"probesize": "32", "analyzeduration": "0", "fflags": "nobuffer"},
                buffer_size=_READ_BYTES,
            ) as container:
                # One channel of floats, whatever it was; the rate stays.
                shape = av.AudioResampler(format="fltp", layout="mono")
                spoilt = 0
                for packet in container.demux(audio=0):
                    try:
                        frames = packet.decode()
                    except FFmpegError:
                        # One that is cut short or damaged is left out, as every player does.
                        spoilt += 1
                        if spoilt > _MOST_SPOILT:
                            raise
                        continue
                    for frame in frames:
                        if self._closed:
                            return
                        self._put(frame.rate, shape.resample(frame))
        except (FFmpegError, ValueError, IndexError) as error:
            if not self._closed:
                raise NotSoundError(f"it cannot be decoded as {self._kind}") from error

    def _put(self, rate_hz: int, frames: list[Any]) -> None:
        if not _SLOWEST_HZ <= rate_hz <= _FASTEST_HZ or self.rate_hz not in {0, rate_hz}:
            raise NotSoundError(f"its rate is {rate_hz} Hz")
        for frame in frames:
            samples = frame.to_ndarray().reshape(-1).astype(np.float32, copy=False)
            if not np.isfinite(samples).all():
                raise NotSoundError("its samples are no numbers")
            with self._turn:
                self.rate_hz = rate_hz
                self._output.append(samples)
