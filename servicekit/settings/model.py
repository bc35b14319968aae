"""What all settings are made of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class SettingsModel(BaseModel):
    """Base of every group of settings: frozen, no unknown keys, defaults checked like anything else.

    A secret is a ``SecretStr``; ``x`` may then be given as ``x_file``, the path of a file that holds it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)
