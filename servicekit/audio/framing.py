"""Cutting a byte stream into frames of one size."""

from __future__ import annotations


class FrameCutter:
    """Turns chunks of any length into frames of exactly ``frame_bytes``; the remainder waits for the next chunk."""

    def __init__(self, frame_bytes: int) -> None:
        """Cut frames of ``frame_bytes``; ValueError unless positive."""
        if frame_bytes <= 0:
            raise ValueError(f"a frame has at least one byte, not {frame_bytes}")
        self._frame_bytes = frame_bytes
        self._rest = b""

    def push(self, data: bytes) -> list[bytes]:
        """Take a chunk, give the frames it completes, in order."""
        size = self._frame_bytes
        if not self._rest and len(data) == size:
            return [data]
        stream = self._rest + data
        whole = len(stream) - len(stream) % size
        self._rest = stream[whole:]
        return [stream[start : start + size] for start in range(0, whole, size)]

    def flush(self) -> bytes:
        """Give the incomplete last frame, shorter than the others or empty, and start afresh."""
        rest, self._rest = self._rest, b""
        return rest
