"""The lock file beside a model: what was pulled, from where, and the sums that it must keep."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from toolbox.models.catalogue import Model
from toolbox.models.errors import ModelError


class LockedFile(BaseModel):
    """A file as it was when it was pulled."""

    model_config = ConfigDict(frozen=True)

    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Lock(BaseModel):
    """A model as it was pulled."""

    model_config = ConfigDict(frozen=True)

    model: str
    source: str
    """Where its files came from, without credentials."""
    revision: str
    """As the catalogue had it."""
    commit: str = ""
    """What the hub answered; empty for other sources."""
    pulled: str
    """ISO 8601, UTC."""
    files: dict[str, LockedFile]


def lock_path(model: Model, folder: Path) -> Path:
    """Where the lock file is: ``folder`` is the model's own, which several may share."""
    return folder / f"{model.name}.lock.json"


def read_lock(model: Model, folder: Path) -> Lock | None:
    """The lock of a model, None when there is none. Raises ModelError for a file that is none."""
    path = lock_path(model, folder)
    try:
        return Lock.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValidationError, UnicodeDecodeError) as error:
        raise ModelError(
            f"{path} cannot be read as a lock file. Remove it and run `parley models pull {model.name}`."
        ) from error


def write_lock(model: Model, folder: Path, lock: Lock) -> None:
    """Write it in one step: a reader sees the old one or the new one."""
    path = lock_path(model, folder)
    new = path.with_name(path.name + ".new")
    new.write_text(json.dumps(lock.model_dump(), indent=1) + "\n", encoding="utf-8")
    os.replace(new, path)
