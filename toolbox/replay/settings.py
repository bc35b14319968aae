"""The settings of a replay: the recorded ones, with changes from the command line over them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.engine import EngineSettings
from orchestrator.event_log import engine_settings_of
from servicekit.settings import ENVIRONMENT_PREFIX, load

_SECTION = "orchestrator"


def changed(recorded: Mapping[str, Any], assignments: Sequence[str]) -> EngineSettings:
    """The recorded settings with ``section.field=value`` assignments over them; ``orchestrator.`` may stand before.

    Groups of settings that this version does not have any more are left out: see `forgotten`.

    Raises:
        SettingsError: with every mistake in the assignments, by name.
    """
    known = {name: value for name, value in recorded.items() if name in EngineSettings.model_fields}
    # What was recorded is a source like the environment, so that grammar, checks and messages are those of settings.
    environ = {
        f"{ENVIRONMENT_PREFIX}{_SECTION}__{name}".upper(): value if isinstance(value, str) else json.dumps(value)
        for name, value in known.items()
        if value is not None
    }
    prefix = f"{_SECTION}."
    overrides = [one if one.strip().startswith(prefix) else prefix + one.strip() for one in assignments]
    return load(_SECTION, EngineSettings, environ=environ, overrides=overrides).service


def forgotten(recorded: Mapping[str, Any]) -> list[str]:
    """Recorded settings that this version does not have, dotted."""
    return sorted(set(recorded) - set(EngineSettings.model_fields))


def differences(recorded: Mapping[str, Any], settings: EngineSettings) -> dict[str, dict[str, Any]]:
    """Dotted name → {"recorded", "replayed"} of every setting that differs, defaults of new ones among them."""
    before, after = _flat(recorded), _flat(engine_settings_of(settings))
    return {
        name: {"recorded": before.get(name), "replayed": after.get(name)}
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    }


def _flat(tree: Mapping[str, Any], at: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{at}{name}.")
        else:
            flat[at + name] = value
    return flat
