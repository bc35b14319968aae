"""Where a model's files are fetched from: the hub, a mirror of it, another address, or a folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from toolbox.models.catalogue import Model, ModelFile
from toolbox.models.errors import ModelError

HUB = "https://huggingface.co"


@dataclass(frozen=True, slots=True)
class Source:
    """A model's files as addresses or as paths, in the order in which they are tried."""

    roots: tuple[str | Path, ...]
    """Below one of these lie all files of the model."""

    def places(self, file: ModelFile) -> list[str | Path]:
        """Where a file may be."""
        return [root / file.name if isinstance(root, Path) else f"{root}/{quote(file.name)}" for root in self.roots]

    @property
    def said(self) -> str:
        """The first root, without user and password."""
        root = self.roots[0]
        if isinstance(root, Path):
            return str(root)
        parts = urlsplit(root)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def source_of(model: Model, given: str | None, environ: Mapping[str, str] = os.environ) -> Source:
    """The source of a model: what was ``given`` (a folder or address), else its repository.

    What is given holds either the folder of all models as Parley lays it out, or this one model's files. Raises
    ModelError for what is neither.
    """
    if given is not None:
        if "://" in given:
            root = _address(given, "--from")
            return Source((f"{root}/{model.folder}", root))
        folder = Path(given).expanduser()
        if not folder.is_dir():
            raise ModelError(f"--from {given} is no folder, and no http(s) address either.")
        return Source((folder / model.folder, folder))
    hub = _address(environ.get("HF_ENDPOINT") or HUB, "HF_ENDPOINT")
    below = f"/{quote(model.path)}" if model.path else ""
    return Source((f"{hub}/{model.repository}/resolve/{quote(model.revision, safe='')}{below}",))


def _address(given: str, what: str) -> str:
    parts = urlsplit(given)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ModelError(f"{what} should be an http:// or https:// address, and {given!r} is none.")
    return given.rstrip("/")
