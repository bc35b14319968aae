"""Entries in memory, bounded in bytes, the least recently used given up first."""

from __future__ import annotations

from collections import OrderedDict

from tts_service.cache.entry import CachedSegment


class MemoryCache:
    """Keeps entries by key; never counts more bytes than its bound. For one thread."""

    def __init__(self, bound_bytes: int) -> None:
        """A bound of 0 keeps nothing."""
        self._bound = bound_bytes
        self._entries: OrderedDict[bytes, CachedSegment] = OrderedDict()
        self._bytes = 0

    @property
    def size_bytes(self) -> int:
        """What the entries cost, see `CachedSegment.cost`."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes) -> CachedSegment | None:
        """The entry, which thereby is the most recently used."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: bytes, entry: CachedSegment) -> None:
        """Keep an entry, giving up as many old ones as it takes; one larger than the bound is not kept."""
        before = self._entries.pop(key, None)
        if before is not None:
            self._bytes -= before.cost
        if entry.cost > self._bound:
            return
        self._entries[key] = entry
        self._bytes += entry.cost
        while self._bytes > self._bound:
            _, oldest = self._entries.popitem(last=False)
            self._bytes -= oldest.cost
