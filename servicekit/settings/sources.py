"""Where settings come from: a file, the environment, the command line; each says where a value was found."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from servicekit.settings import shape
from servicekit.settings.problems import Problem, did_you_mean

SECTIONS: Final = ("gateway", "orchestrator", "stt", "tts", "telemetry", "logs")
"""Every section of the one file; services ignore each other's."""

ENVIRONMENT_PREFIX: Final = "PARLEY_"
"""``PARLEY_<SECTION>__<FIELD>[__<SUBFIELD>]`` sets one field."""

Tree = dict[str, Any]
Path_ = tuple[str, ...]
Wanted = Mapping[str, type[BaseModel]]
"""The sections asked for, and what each must be."""


@dataclass
class Layer:
    """One source's settings for the sections asked for, and the mistakes found on the way."""

    tree: Tree = field(default_factory=dict)
    origins: dict[Path_, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    base: Path | None = None
    """The folder that relative secret files are in; None is the working directory."""


def read_file(path: Path, wanted: Wanted) -> Layer:
    """Read the TOML file at ``path``."""
    layer = Layer(base=path.parent)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        layer.problems.append(Problem(str(path), "the settings file does not exist", "create it or name another"))
        return layer
    except tomllib.TOMLDecodeError as error:
        layer.problems.append(Problem(str(path), f"is not valid TOML: {error}", "text values need quotation marks"))
        return layer
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        layer.problems.append(Problem(str(path), f"the settings file cannot be read: {reason}"))
        return layer
    for section, values in document.items():
        if section not in SECTIONS:
            layer.problems.append(Problem(section, f"is no section of {path.name}", did_you_mean(section, SECTIONS)))
        elif section in wanted:
            if isinstance(values, dict):
                layer.tree[section] = values
                layer.origins[(section,)] = path.name
            else:
                layer.problems.append(Problem(section, "should be a table", f"write [{section}] and its keys below"))
    return layer


def read_environment(environ: Mapping[str, str], wanted: Wanted) -> Layer:
    """Read every ``PARLEY_…__…`` variable; others, such as Kubernetes' own, have no double underscore."""
    layer = Layer()
    for variable in sorted(environ):
        if not variable.upper().startswith(ENVIRONMENT_PREFIX):
            continue
        section, *path = variable[len(ENVIRONMENT_PREFIX) :].lower().split("__")
        if section and path and all(path):
            _assign(layer, (section, *path), environ[variable], variable, wanted)
    return layer


def read_overrides(overrides: Sequence[str], wanted: Wanted) -> Layer:
    """Read ``section.field=value`` assignments."""
    layer = Layer()
    for override in overrides:
        name, equals, value = override.partition("=")
        section, *path = name.strip().split(".")
        if not equals or not section or not path or not all(path):
            layer.problems.append(
                Problem(name.strip() or "--set", "is no assignment", "write --set section.field=value")
            )
            continue
        _assign(layer, (section, *path), value.strip(), f"--set {name.strip()}", wanted)
    return layer


def _assign(layer: Layer, name: Path_, text: str, origin: str, wanted: Wanted) -> None:
    """Put one setting, given as text, into ``layer``."""
    section, *path = name
    dotted = ".".join(name)
    if section not in SECTIONS:
        layer.problems.append(Problem(dotted, f"is no setting ({origin})", did_you_mean(section, SECTIONS)))
        return
    if section not in wanted:
        return
    try:
        value = _parsed(text, shape.annotation_at(wanted[section], path))
    except shape.UnknownNameError as error:
        layer.problems.append(Problem(dotted, f"is no setting ({origin})", did_you_mean(path[error.at], error.known)))
        return
    except _UnreadableError as error:
        layer.problems.append(Problem(dotted, f"{error} ({origin})"))
        return
    node: Tree = layer.tree
    for step in name[:-1]:
        below = node.get(step)
        # A whole table that came as JSON in a shorter variable sorts first: the more exact one adds to it.
        node[step] = node = below if isinstance(below, dict) else {}
    node[name[-1]] = value
    layer.origins[name] = origin


class _UnreadableError(ValueError):
    """A text is not what its setting needs."""


def _parsed(text: str, annotation: Any) -> Any:
    """Text as the setting needs it; scalars stay text, which pydantic converts by the field's own type."""
    if shape.is_sequence(annotation):
        if text.lstrip().startswith("["):
            return _json(text, "a JSON list or values separated by commas")
        return [part.strip() for part in text.split(",") if part.strip()]
    if shape.is_table(annotation) and not shape.is_text(annotation):
        if text.strip() == "" and shape.may_be_none(annotation):
            return None
        return _json(text, "a JSON object, or set its fields one by one")
    if text == "" and shape.may_be_none(annotation) and not shape.is_text(annotation):
        return None
    return text


def _json(text: str, expected: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise _UnreadableError(f"should be {expected}") from None
