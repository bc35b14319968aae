"""One segment as it is kept: its sound in the wire's format and its alignment, and both as bytes on disk."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import NamedTuple

_MAGIC = b"PARLEYS1"
_CHECKSUM_BYTES = 32
_COUNT = struct.Struct("<I")
_RANGE = struct.Struct("<4Q")

# What Python keeps beside the sound: measured with tracemalloc, rounded up.
_ENTRY_OVERHEAD = 512
_RANGE_OVERHEAD = 160


class SpoiledEntryError(Exception):
    """Bytes that are no entry, or not the one looked for: cut short, overwritten, of another version."""


class CachedRange(NamedTuple):
    """A stretch of the normalised text (code points) and of the sound (samples at the wire's rate); ends exclusive."""

    text_start: int
    text_end: int
    start_sample: int
    end_sample: int


@dataclass(frozen=True, slots=True)
class CachedSegment:
    """A whole segment: raw audio in one of the delivered formats, and its words in order."""

    payload: bytes
    ranges: tuple[CachedRange, ...]

    @property
    def cost(self) -> int:
        """Bytes it is counted with in memory."""
        return len(self.payload) + _ENTRY_OVERHEAD + _RANGE_OVERHEAD * len(self.ranges)


def to_bytes(key: bytes, entry: CachedSegment) -> bytes:
    """An entry as a file holds it, with a checksum over its key and all of its content."""
    ranges = b"".join(_RANGE.pack(*one) for one in entry.ranges)
    body = _COUNT.pack(len(entry.ranges)) + ranges + entry.payload
    return _MAGIC + _checksum(key, body) + body


def from_bytes(key: bytes, data: bytes) -> CachedSegment:
    """Read what :func:`to_bytes` wrote for this key; raises SpoiledEntryError for anything else."""
    start = len(_MAGIC) + _CHECKSUM_BYTES
    checksum, body = data[len(_MAGIC) : start], data[start:]
    if not data.startswith(_MAGIC) or checksum != _checksum(key, body):
        raise SpoiledEntryError
    (count,) = _COUNT.unpack_from(body)
    first = _COUNT.size + count * _RANGE.size
    ranges = tuple(CachedRange(*_RANGE.unpack_from(body, _COUNT.size + i * _RANGE.size)) for i in range(count))
    return CachedSegment(body[first:], ranges)


def _checksum(key: bytes, body: bytes) -> bytes:
    return hashlib.sha256(key + body).digest()
