"""How a server ends."""

from __future__ import annotations

from pydantic import Field

from servicekit.settings import SettingsModel


class DrainSettings(SettingsModel):
    """How long a server waits for what it has begun."""

    timeout_s: float = Field(default=30.0, ge=0)
    """Seconds that live work may take to finish; then it is cancelled."""
    notice_s: float = Field(default=0.0, ge=0)
    """Seconds between reporting NOT_SERVING and refusing, for load balancers to notice."""
