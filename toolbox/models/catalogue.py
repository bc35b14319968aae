"""The models that are known: what they are for, where they come from, and what their files must be."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from toolbox.models.errors import ModelError

BUILT_IN = Path(__file__).with_name("catalogue.toml")
_HEX_64 = r"^[0-9a-f]{64}$"


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _inside(path: str) -> str:
    pure = PurePosixPath(path)
    if not path or pure.is_absolute() or ".." in pure.parts or "\\" in path:
        raise ValueError("must be a relative path with forward slashes and without ..")
    return str(pure)


class ModelFile(_Entry):
    """One file of a model."""

    name: str
    """Path at its source and below the model's folder."""
    size: int | None = Field(default=None, ge=0)
    """Bytes; None where it is not known."""
    sha256: str | None = Field(default=None, pattern=_HEX_64)
    """None where nobody publishes it: then the first pull's counts."""

    _check_name = field_validator("name")(_inside)


class Model(_Entry):
    """One model."""

    name: str
    title: str
    folder: str
    """Where it lies below the folder of all models."""
    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    """On a Hugging Face hub."""
    revision: str = Field(default="main", pattern=r"^[\w./-]+$")
    """Commit of the repository; a branch is resolved when it is pulled, and kept in the lock file."""
    path: str = ""
    """Where the files lie below the repository; empty means at its top."""
    licence: str
    setting: str
    """The setting that makes a service use it."""
    extra: str
    """Parley's extra with the engine that loads it."""
    files: tuple[ModelFile, ...] = Field(min_length=1)

    _check_folder = field_validator("folder", "path")(_inside)

    @property
    def size(self) -> int:
        """Bytes of all files whose size is known."""
        return sum(file.size or 0 for file in self.files)

    @property
    def size_is_known(self) -> bool:
        """Whether `size` counts every file."""
        return all(file.size is not None for file in self.files)


class Catalogue:
    """Models by name, in the order of the file."""

    def __init__(self, models: Iterable[Model]) -> None:
        self._models = {model.name: model for model in models}

    @property
    def models(self) -> tuple[Model, ...]:
        """Every model."""
        return tuple(self._models.values())

    def named(self, names: Iterable[str]) -> list[Model]:
        """The models of these names, each once. Raises ModelError that lists what there is."""
        found: dict[str, Model] = {}
        for name in names:
            if name not in self._models:
                raise ModelError(f"There is no model {name!r}. There are: {', '.join(self._models)}.")
            found[name] = self._models[name]
        return list(found.values())


def read_catalogue(path: Path = BUILT_IN) -> Catalogue:
    """Read a catalogue. Raises ModelError when the file is none."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        return Catalogue(Model.model_validate({"name": name, **entry}) for name, entry in document.items())
    except OSError as error:
        raise ModelError(f"The catalogue {path} cannot be read: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, TypeError, ValidationError) as error:
        raise ModelError(f"{path} is no catalogue of models: {error}") from error
