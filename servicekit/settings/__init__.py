"""Settings: one TOML file, the environment over it, overrides over both; every mistake named at once.

Parsed once at start, frozen, handed to whoever needs them; nothing reads a setting at import.
"""

from servicekit.settings.loading import Loaded, load
from servicekit.settings.model import SettingsModel
from servicekit.settings.problems import Problem, SettingsError
from servicekit.settings.shared import ListenAddress, LogSettings, TelemetrySettings
from servicekit.settings.sources import ENVIRONMENT_PREFIX, SECTIONS

__all__ = [
    "ENVIRONMENT_PREFIX",
    "SECTIONS",
    "ListenAddress",
    "Loaded",
    "LogSettings",
    "Problem",
    "SettingsError",
    "SettingsModel",
    "TelemetrySettings",
    "load",
]
