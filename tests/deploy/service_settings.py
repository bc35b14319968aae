"""Loading a deployment's settings as the service itself would."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from servicekit.settings import Loaded, SettingsModel, load

_MODELS = {
    "gateway": ("gateway.settings", "GatewaySettings"),
    "orchestrator": ("orchestrator.settings", "OrchestratorSettings"),
    "stt": ("stt_service.settings", "SttSettings"),
    "tts": ("tts_service.settings", "TtsSettings"),
}


def loaded(
    service: str,
    folder: Path,
    *,
    toml: str = "",
    environment: Mapping[str, str] | None = None,
    secrets: tuple[str, ...] = (),
) -> Loaded[Any]:
    """Load a service's settings with its secret files standing in a folder of the test's.

    Args:
        service: Its section.
        folder: Where the settings file and the secrets are written.
        toml: The settings file.
        environment: The environment.
        secrets: Paths in the container at which secrets are mounted.
    """
    values = dict(environment or {})
    for number, path in enumerate(secrets):
        stand_in = folder / f"secret-{number}"
        stand_in.write_text("not-a-secret", encoding="utf-8")
        toml = toml.replace(path, str(stand_in))
        values = {name: value.replace(path, str(stand_in)) for name, value in values.items()}
    config = folder / f"{service}.toml"
    config.write_text(toml, encoding="utf-8")
    module, name = _MODELS[service]
    model: type[SettingsModel] = getattr(importlib.import_module(module), name)
    return load(service, model, config=config, environ=values)
