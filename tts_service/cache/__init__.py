"""Speech that was made before: found by what makes it sound as it does, bounded in bytes, whole or not kept."""

from tts_service.cache.disk import DiskCache, cache_folder
from tts_service.cache.entry import CachedRange, CachedSegment, SpoiledEntryError
from tts_service.cache.key import engine_fingerprint, segment_key
from tts_service.cache.memory import MemoryCache
from tts_service.cache.segments import SegmentCache

__all__ = [
    "CachedRange",
    "CachedSegment",
    "DiskCache",
    "MemoryCache",
    "SegmentCache",
    "SpoiledEntryError",
    "cache_folder",
    "engine_fingerprint",
    "segment_key",
]
