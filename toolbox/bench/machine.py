"""On what a report was made."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TypedDict

import psutil


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


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
