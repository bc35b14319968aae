"""The settings of ``[orchestrator.event_log]``."""

from __future__ import annotations

from pydantic import Field

from servicekit.settings import SettingsModel


class EventLogSettings(SettingsModel):
    """Whether and where each call's turn-taking is written down, for `parley replay`."""

    # Empty: nothing is written.
    folder: str = ""
    # Write what was said. Without it the files hold stand-ins for words, and keys pressed are not told apart.
    transcripts: bool = False
    # A call's file ends when it would grow larger; an hour of call takes about 20 MB.
    max_mb: float = Field(default=20.0, gt=0, le=10_000)
    # The oldest files go when there are more than this.
    keep_files: int = Field(default=200, ge=1)
