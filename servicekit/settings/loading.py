"""Putting the sources together, reading secret files, and checking everything at once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from servicekit.settings.diagnosis import explain
from servicekit.settings.layering import merge, resolve_secret_files
from servicekit.settings.model import SettingsModel
from servicekit.settings.problems import Problem, SettingsError
from servicekit.settings.shared import LogSettings, TelemetrySettings
from servicekit.settings.sources import Layer, Path_, Tree, read_environment, read_file, read_overrides

S = TypeVar("S", bound=SettingsModel)


@dataclass(frozen=True)
class Loaded(Generic[S]):
    """Settings of one process, checked."""

    service: S
    telemetry: TelemetrySettings
    logs: LogSettings


def load(
    section: str,
    model: type[S],
    *,
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Sequence[str] = (),
) -> Loaded[S]:
    """Load section ``section`` as ``model``, with ``[telemetry]`` and ``[logs]``.

    Args:
        section: One of `SECTIONS`.
        model: What the section must be.
        config: The TOML file; None takes ``PARLEY_CONFIG`` from the environment, or no file.
        environ: The environment; None takes the process's own.
        overrides: ``section.field=value`` assignments, which win over everything else.

    Raises SettingsError with every mistake found.
    """
    environ = os.environ if environ is None else environ
    if config is None and environ.get("PARLEY_CONFIG"):
        config = Path(environ["PARLEY_CONFIG"])
    wanted: dict[str, type[BaseModel]] = {section: model, "telemetry": TelemetrySettings, "logs": LogSettings}
    layers = [
        *([] if config is None else [read_file(config, wanted)]),
        read_environment(environ, wanted),
        read_overrides(overrides, wanted),
    ]
    problems = [problem for layer in layers for problem in layer.problems]
    service = _checked(section, model, layers, problems)
    telemetry = _checked("telemetry", TelemetrySettings, layers, problems)
    logs = _checked("logs", LogSettings, layers, problems)
    if problems or service is None or telemetry is None or logs is None:
        raise SettingsError(problems)
    return Loaded(service, telemetry, logs)


def _checked(section: str, model: type[S], layers: Sequence[Layer], problems: list[Problem]) -> S | None:
    """One section, merged and validated; None when it has problems, which are added to ``problems``."""
    tree: Tree = {}
    origins: dict[Path_, str] = {}
    for layer in layers:
        if section in layer.tree:
            merge(tree, layer.tree[section], model, base=layer.base)
            origins |= {path: origin for path, origin in layer.origins.items() if path[0] == section}
    unread = resolve_secret_files(tree, (model,), (section,), problems)
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        problems += explain(error, section, model, origins, skip=unread)
        return None
