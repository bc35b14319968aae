"""pydantic's findings in the words of the file's owner."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from servicekit.redaction import mask_secrets
from servicekit.settings import shape
from servicekit.settings.problems import Problem, did_you_mean
from servicekit.settings.sources import ENVIRONMENT_PREFIX, Path_

_SECRET_NAME = re.compile(r"token|secret|password|passphrase|credential|authorization|(^|_)key$", re.IGNORECASE)
_LONGEST_SHOWN = 80


def explain(
    error: ValidationError,
    section: str,
    model: type[BaseModel],
    origins: Mapping[Path_, str],
    *,
    skip: set[Path_],
) -> list[Problem]:
    """One problem for each setting that pydantic refuses, but for those in ``skip``, which are reported already."""
    problems: dict[str, Problem] = {}
    for finding in error.errors(include_url=False):
        models, path = _place(model, finding["loc"])
        full = (section, *path)
        if full in skip:
            continue
        name = ".".join(full)
        message, remedy = _words(finding["type"], finding["msg"], finding.get("input"), full, models)
        origin = _origin(full, origins)
        problem = Problem(name, f"{message} ({origin})" if origin and message != "is required" else message, remedy)
        # A union reports each of its alternatives; the first is the one its author put first.
        problems.setdefault(name, problem)
    return list(problems.values())


def _place(model: type[BaseModel], location: Sequence[int | str]) -> tuple[shape.Models, Path_]:
    """The setting's path, without the names of union members that pydantic puts between, and its table's models."""
    models: shape.Models = (model,)
    table = models
    annotation: Any = model
    path: list[str] = []
    for depth, step in enumerate(location):
        name = str(step)
        last = depth == len(location) - 1
        if models and (name in (fields := shape.fields_of(models)) or last):
            path.append(name)
            table, annotation = models, fields.get(name)
        elif not models and (isinstance(step, int) or (shape.is_table(annotation) and annotation is not None)):
            path.append(name)
            annotation = shape.element_of(annotation)
        else:
            continue
        models = shape.models_in(annotation)
    return table, tuple(path)


def _words(kind: str, message: str, value: Any, path: Path_, models: shape.Models) -> tuple[str, str]:
    if kind == "missing":
        variable = ENVIRONMENT_PREFIX + "__".join(path).upper()
        file = " or in a file named by the same setting with _file" if path[-1] in shape.secrets_of(models) else ""
        return "is required", f"set it in the settings file, as {variable}{file}"
    if kind == "extra_forbidden":
        # The value is not shown: this may be a secret whose name is misspelt.
        return "is no setting", did_you_mean(path[-1], shape.names_of(models))
    text = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    text = text.replace("Input should", "should", 1)
    text = text[:1].lower() + text[1:] if text[:2].istitle() else text
    if isinstance(value, str | int | float | bool) and not _hidden(path, models):
        shown = mask_secrets(repr(value))
        text += f", not {shown if len(shown) <= _LONGEST_SHOWN else shown[:_LONGEST_SHOWN] + '…'}"
    return text, ""


def _hidden(path: Path_, models: shape.Models) -> bool:
    fields = shape.fields_of(models)
    return any(_SECRET_NAME.search(step) or shape.is_secret(fields.get(step)) for step in path)


def _origin(path: Path_, origins: Mapping[Path_, str]) -> str:
    """Where the value at ``path`` came from: its own source, or that of the table around it."""
    for length in range(len(path), 0, -1):
        if origin := origins.get(path[:length]):
            return origin
    return ""
