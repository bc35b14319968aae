"""Pulling a model: what is right already stays, the rest is fetched, and the lock file seals it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from toolbox.models.catalogue import Model, ModelFile
from toolbox.models.checking import OnBytes, Sums, mismatch, sums_of
from toolbox.models.download import Downloader, Fetched, NotThereError, resumable
from toolbox.models.errors import ModelError
from toolbox.models.lock import Lock, LockedFile, read_lock, write_lock
from toolbox.models.sources import Source


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull did."""

    model: str
    folder: str
    fetched: tuple[str, ...]
    kept: tuple[str, ...]
    commit: str


class Pull:
    """Pulls models into one folder."""

    def __init__(
        self, downloader: Downloader, models: Path, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """``models`` holds them all, each in a folder of its own."""
        self._downloader = downloader
        self._models = models
        self._now = now

    def run(self, model: Model, source: Source, on_bytes: OnBytes, *, anew: bool = False) -> Pulled:
        """Pull one model; ``anew`` forgets the sums of an earlier pull. Raises ModelError."""
        folder = self._models / model.folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ModelError(f"{folder} cannot be made: {error.strerror or error}. Choose another --dir.") from error
        lock = None if anew else read_lock(model, folder)
        if lock is not None and lock.revision != model.revision:
            lock = None  # another release: its sums say nothing about this one
        known = {} if lock is None else {name: file.sha256 for name, file in lock.files.items()}
        right: dict[str, Sums] = {}
        for file in model.files:
            sums = self._right_already(file, folder / file.name, known.get(file.name), on_bytes)
            if sums is not None:
                right[file.name] = sums
        missing = [file for file in model.files if file.name not in right]
        self._check_space(folder, missing)
        commit = lock.commit if lock is not None else ""
        for file in missing:
            fetched = self._fetch(file, source, folder / file.name, known.get(file.name), on_bytes)
            right[file.name] = fetched.sums
            commit = self._same_commit(model, commit, fetched.commit)
        write_lock(
            model,
            folder,
            Lock(
                model=model.name,
                source=source.said if missing or lock is None else lock.source,
                revision=model.revision,
                commit=commit,
                pulled=self._now().isoformat(timespec="seconds"),
                files={name: LockedFile(size=sums.size, sha256=sums.sha256) for name, sums in right.items()},
            ),
        )
        fetched_names = tuple(file.name for file in missing)
        kept = tuple(file.name for file in model.files if file.name not in fetched_names)
        return Pulled(model.name, str(folder), fetched_names, kept, commit)

    def _right_already(self, file: ModelFile, path: Path, locked: str | None, on_bytes: OnBytes) -> Sums | None:
        """The sums of a file that is here and known to be right; None when it must be fetched."""
        if not path.is_file() or (file.sha256 is None and locked is None):
            return None
        read = 0

        def count(size: int) -> None:
            nonlocal read
            read += size
            on_bytes(size)

        sums = sums_of(path, count)
        if mismatch(file, sums, locked):
            on_bytes(-read)
            return None
        return sums

    def _check_space(self, folder: Path, missing: list[ModelFile]) -> None:
        """Before the first byte: half a model is of no use."""
        needed = sum(max(0, (file.size or 0) - resumable(folder / file.name)) for file in missing)
        free = shutil.disk_usage(folder).free
        if free < needed:
            raise ModelError(
                f"There is no room in {folder}: {needed / 1e6:.0f} MB are still to come and {free / 1e6:.0f} MB are "
                "free. Make room, or choose another folder with --dir."
            )

    def _fetch(self, file: ModelFile, source: Source, to: Path, locked: str | None, on_bytes: OnBytes) -> Fetched:
        on_bytes(resumable(to))
        *first, last = source.places(file)
        for place in first:
            try:
                return self._downloader.fetch(file, place, to, locked_sha256=locked, on_bytes=on_bytes)
            except NotThereError:
                continue
        return self._downloader.fetch(file, last, to, locked_sha256=locked, on_bytes=on_bytes)

    def _same_commit(self, model: Model, before: str, now: str) -> str:
        """All files must be of one commit, and of the pinned one. Raises ModelError."""
        if not now:
            return before
        pinned = model.revision if len(model.revision) == 40 else before
        if pinned and now != pinned:
            raise ModelError(
                f"{model.name}: the hub sent files of commit {now[:12]} instead of {pinned[:12]}. The repository "
                "changed meanwhile; run the command again."
            )
        return now
