"""Whether a model on disk is what it should be."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from toolbox.models.catalogue import Model, ModelFile
from toolbox.models.lock import Lock, read_lock

OnBytes: TypeAlias = Callable[[int], None]
Result: TypeAlias = Literal["ok", "missing", "wrong", "unknown"]
State: TypeAlias = Literal["absent", "incomplete", "present", "pulled"]

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Sums:
    """What a file holds."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A file's result: `unknown` is a file that nobody published a sum of and that was not pulled by Parley."""

    file: str
    result: Result
    detail: str = ""


class Summing:
    """Computes a file's sums while it goes by."""

    def __init__(self) -> None:
        """Nothing has gone by yet."""
        self._sha256 = hashlib.sha256()
        self._size = 0

    def update(self, block: bytes) -> None:
        """Take the next bytes."""
        self._size += len(block)
        self._sha256.update(block)

    def update_from(self, path: Path, on_bytes: OnBytes) -> None:
        """Take a whole file."""
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                self.update(block)
                on_bytes(len(block))

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._size

    @property
    def sums(self) -> Sums:
        """The sums so far."""
        return Sums(self._size, self._sha256.hexdigest())


def sums_of(path: Path, on_bytes: OnBytes) -> Sums:
    """Read a file and sum it up."""
    summing = Summing()
    summing.update_from(path, on_bytes)
    return summing.sums


def mismatch(file: ModelFile, sums: Sums, locked_sha256: str | None) -> str:
    """How a file differs from what is known of it; empty when it does not."""
    if file.size is not None and sums.size != file.size:
        return f"it has {sums.size} bytes instead of {file.size}"
    expected = file.sha256 or locked_sha256
    if expected is not None and sums.sha256 != expected:
        return f"its SHA-256 is {sums.sha256[:12]}… instead of {expected[:12]}…"
    return ""


def state_of(model: Model, models: Path) -> State:
    """How much of a model is on disk, by a look at its folder: no file is read."""
    folder = models / model.folder
    there = sum(1 for file in model.files if (folder / file.name).is_file())
    if there < len(model.files):
        partly = there or any((folder / f"{file.name}.part").is_file() for file in model.files)
        return "incomplete" if partly else "absent"
    return "pulled" if (folder / f"{model.name}.lock.json").is_file() else "present"


def check(model: Model, models: Path, on_bytes: OnBytes) -> list[Checked]:
    """Read every file of a model and compare it. Raises ModelError for a broken lock file."""
    folder = models / model.folder
    lock = read_lock(model, folder)
    return [_check_file(file, folder / file.name, lock, on_bytes) for file in model.files]


def _check_file(file: ModelFile, path: Path, lock: Lock | None, on_bytes: OnBytes) -> Checked:
    if not path.is_file():
        return Checked(file.name, "missing")
    try:
        sums = sums_of(path, on_bytes)
    except OSError as error:
        return Checked(file.name, "wrong", f"it cannot be read: {error.strerror or error}")
    locked = lock.files.get(file.name) if lock is not None else None
    difference = mismatch(file, sums, locked.sha256 if locked is not None else None)
    if difference:
        return Checked(file.name, "wrong", difference)
    if file.sha256 is None and locked is None:
        return Checked(file.name, "unknown", "nobody published its sum and it was not pulled by Parley")
    return Checked(file.name, "ok")
