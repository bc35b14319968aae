"""What a group tells whoever watches it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Happened(Enum):
    """What happened to a process."""

    STARTED = "started"
    READY = "ready"
    ENDED = "ended"
    RESTARTING = "restarting"
    STOPPED = "stopped"
    KILLED = "killed"


@dataclass(frozen=True)
class ServiceEvent:
    """One thing that happened to one process of a group."""

    service: str
    happened: Happened
    pid: int
    status: int | None = None
    """Exit status, where it ended."""
    wait_s: float = 0.0
    """Time until it is started again."""
    addresses: dict[str, str] = field(default_factory=dict)


class ServiceFailedError(Exception):
    """A process could not start, or ended for good; the message holds what it said last."""

    def __init__(self, service: str, why: str, status: int | None, last_lines: list[str]) -> None:
        self.service = service
        self.status = status
        self.last_lines = last_lines
        said = "\n".join(f"  {line}" for line in last_lines) or "  (it said nothing)"
        super().__init__(f"{service} {why}. Its last words:\n{said}")
