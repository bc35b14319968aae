"""The service's cache: memory before disk, disk off the loop, and what both are worth as metrics."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from opentelemetry.metrics import CallbackOptions, Observation

from servicekit import semconv
from servicekit.logs import get_logger
from servicekit.telemetry import Telemetry
from tts_service.cache.disk import DiskCache, cache_folder
from tts_service.cache.entry import CachedSegment
from tts_service.cache.memory import MemoryCache
from tts_service.settings import CacheSettings

_MEGABYTE = 1_000_000
_WRITES_WAITING = 64
"""Entries that may wait to be written; a disk slower than that loses the newest, which are made again."""

_log = get_logger(__name__)


class SegmentCache:
    """Finds and keeps whole segments. For the event loop; one thread of its own does what blocks.

    Two replies that miss the same key at once are both spoken: see `docs/decisions/0030-speech-cache.md`.
    """

    def __init__(self, settings: CacheSettings, telemetry: Telemetry, *, disk: DiskCache | None = None) -> None:
        """Keep in memory, and on `disk` where there is one."""
        self._memory = MemoryCache(settings.memory_mb * _MEGABYTE)
        self._disk = disk
        self._replies_on_disk = settings.replies
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="speech-cache")
        self._waiting = 0
        self._refused = False
        meter = telemetry.meter
        self._lookups = meter.create_counter(
            semconv.METRIC_TTS_CACHE_LOOKUPS, unit="{segment}", description="Segments looked up in the speech cache"
        )
        meter.create_observable_gauge(semconv.METRIC_TTS_CACHE_BYTES, [self._observe], unit="By")

    @classmethod
    async def open(cls, settings: CacheSettings, telemetry: Telemetry) -> SegmentCache:
        """Open the settings' cache; a folder that cannot be used costs what would be in it, and one line in the log."""
        disk = await asyncio.to_thread(_open_disk, settings) if settings.disk_mb else None
        return cls(settings, telemetry, disk=disk)

    async def find(self, key: bytes, *, keep: bool) -> CachedSegment | None:
        """The entry; `keep` says that it may be on disk although this process has not seen it there."""
        entry = self._memory.get(key)
        if entry is None and self._disk is not None and (keep or self._disk.may_hold(key)):
            entry = await asyncio.get_running_loop().run_in_executor(self._thread, self._disk.read, key)
            if entry is not None:
                self._memory.put(key, entry)
        self._lookups.add(1, {semconv.VOICE_CACHED: entry is not None})
        return entry

    def store(self, key: bytes, entry: CachedSegment, *, keep: bool) -> None:
        """Keep a segment that was spoken whole; on disk, a moment later, where it is fixed wording."""
        self._memory.put(key, entry)
        if self._disk is None or not (keep or self._replies_on_disk) or self._waiting >= _WRITES_WAITING:
            return
        self._waiting += 1
        written = asyncio.get_running_loop().run_in_executor(self._thread, self._disk.write, key, entry)
        written.add_done_callback(self._on_written)

    async def close(self) -> None:
        """Write what waits to be written, and end."""
        await asyncio.to_thread(self._thread.shutdown, wait=True)
        await asyncio.sleep(0)  # for the last writes' callbacks

    def _on_written(self, written: asyncio.Future[None]) -> None:
        self._waiting -= 1
        error = None if written.cancelled() else written.exception()
        if error is not None and not self._refused:
            self._refused = True
            _log.warning("fixed wording could not be kept on disk; it is made again after a restart", error=str(error))

    def _observe(self, _: CallbackOptions) -> list[Observation]:
        disk = self._disk.size_bytes if self._disk is not None else 0
        return [
            Observation(self._memory.size_bytes, {semconv.VOICE_CACHE_PLACE: "memory"}),
            Observation(disk, {semconv.VOICE_CACHE_PLACE: "disk"}),
        ]


def _open_disk(settings: CacheSettings) -> DiskCache | None:
    try:
        return DiskCache(cache_folder(settings), settings.disk_mb * _MEGABYTE)
    except (OSError, RuntimeError) as error:
        _log.warning(
            f"Fixed wording is not kept on disk and will be spoken anew after each restart: {error}. "
            "Set tts.cache.folder to a folder that this service may write to, or tts.cache.disk_mb to 0."
        )
        return None
