"""Entries on disk, for several processes: one file each, written aside and renamed into place, read without a lock."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path

from servicekit.logs import get_logger
from tts_service.cache.entry import CachedSegment, SpoiledEntryError, from_bytes, to_bytes
from tts_service.settings import CacheSettings

_SUFFIX = ".speech"
_UNFINISHED = ".unfinished"
# What a process that was killed left behind; no write takes so long.
_ABANDONED_AFTER_S = 600.0

_log = get_logger(__name__)


def cache_folder(settings: CacheSettings) -> Path:
    """The folder of the settings, or the user's own; raises RuntimeError for a user without a home."""
    if settings.folder is not None:
        return settings.folder
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "parley" / "tts"


class DiskCache:
    """A folder of entries; all methods block, and any thread and process may call them.

    A file appears whole or not at all, under the name of its key. One that was torn all the same, by a machine that
    lost its power, fails its checksum, is removed and made again. Files and folder are the owner's alone. The bound is
    kept by whoever writes: several that write at once may pass it by what they are writing.
    """

    def __init__(self, folder: Path, bound_bytes: int) -> None:
        """Make the folder, clear what was left unfinished and keep the bound; raises OSError where that is refused."""
        self._folder = folder
        self._bound = bound_bytes
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Found out here rather than with the first entry.
        descriptor, probe = tempfile.mkstemp(dir=folder, suffix=_UNFINISHED)
        os.close(descriptor)
        Path(probe).unlink(missing_ok=True)
        self._clear_unfinished()
        self._bytes, names = self._keep_bound()
        self._known = names

    @property
    def size_bytes(self) -> int:
        """Bytes of all files when last counted, and what was written since."""
        return self._bytes

    def may_hold(self, key: bytes) -> bool:
        """Whether an entry was there when last looked; another process may have written or removed it since."""
        return key.hex() in self._known

    def read(self, key: bytes) -> CachedSegment | None:
        """The entry, or None where there is none, or none that is whole."""
        path = self._path(key)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        try:
            entry = from_bytes(key, data)
        except SpoiledEntryError:
            _log.warning("a spoiled entry of the speech cache was removed; it is made again", bytes=len(data))
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # it was used: eviction goes by this
        return entry

    def write(self, key: bytes, entry: CachedSegment) -> None:
        """Keep an entry and the bound; raises OSError. One larger than the bound is not kept."""
        data = to_bytes(key, entry)
        if len(data) > self._bound:
            return
        descriptor, unfinished = tempfile.mkstemp(dir=self._folder, suffix=_UNFINISHED)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            Path(unfinished).replace(self._path(key))
        except BaseException:
            with contextlib.suppress(OSError):
                Path(unfinished).unlink(missing_ok=True)
            raise
        self._bytes += len(data)
        self._known = self._known | {key.hex()}
        if self._bytes > self._bound:
            self._bytes, self._known = self._keep_bound()

    def _path(self, key: bytes) -> Path:
        return self._folder / f"{key.hex()}{_SUFFIX}"

    def _keep_bound(self) -> tuple[int, frozenset[str]]:
        """Remove the least recently used files above the bound; the bytes and keys of those that stay."""
        files: list[tuple[float, int, str]] = []
        with os.scandir(self._folder) as found:
            for file in found:
                with contextlib.suppress(OSError):
                    if file.name.endswith(_SUFFIX):
                        status = file.stat()
                        files.append((status.st_mtime, status.st_size, file.name))
        total = sum(size for _, size, _ in files)
        kept = sorted(files, reverse=True)
        while total > self._bound:
            _, size, name = kept.pop()
            with contextlib.suppress(OSError):
                (self._folder / name).unlink(missing_ok=True)
            total -= size
        return total, frozenset(name.removesuffix(_SUFFIX) for _, _, name in kept)

    def _clear_unfinished(self) -> None:
        for path in self._folder.glob(f"*{_UNFINISHED}"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _ABANDONED_AFTER_S:
                    path.unlink(missing_ok=True)
