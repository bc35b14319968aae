"""On what a report was made."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict

import psutil

from toolbox.version import parley_version


class Machine(TypedDict):
    """The machine of a report."""

    cpu: str
    cores: int
    memory_gb: float
    python: str


def machine() -> Machine:
    """Describe this machine; cores are those this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return Machine(
        cpu=_cpu_name(),
        cores=len(affinity(0)) if affinity else (os.cpu_count() or 1),
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
        python=platform.python_version(),
    )


class Occasion:
    """When a bench began, and what every report begins with. Made where the bench begins."""

    def __init__(self) -> None:
        self._started, self._began = datetime.now(UTC), time.monotonic()

    def head(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The keys that all reports share; ``settings`` are those that differ from the default."""
        return {
            "parley": parley_version(),
            "machine": machine(),
            "settings": dict(settings),
            "started": self._started.isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - self._began, 1),
        }


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
