"""The benches as commands, in the short form that CI runs, and the shape of what they print."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
COMMON = {"parley", "machine", "settings", "started", "seconds"}


def short_bench(*arguments: str, cwd: Path, limit_s: float) -> dict[str, Any]:
    """Run ``parley bench … --short --json``; standard output must be one JSON object, which is returned."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "protos")])
    command = [sys.executable, "-m", "toolbox.cli", "bench", *arguments, "--short", "--json"]
    ran = subprocess.run(
        command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=limit_s, check=False
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    report: dict[str, Any] = json.loads(ran.stdout)
    assert set(report) >= COMMON
    assert set(report["machine"]) >= {"cpu", "cores", "memory_gb", "python"}
    # Pytest shows it where the test fails, and with -rP.
    print(f"parley bench {' '.join(arguments)} --short took {report['seconds']} s")  # noqa: T201
    return report


def is_distribution(value: Any) -> bool:
    """Whether it is what benches print for many measurements; there may be none."""
    return isinstance(value, dict) and set(value) >= {"n", "p50", "p95", "p99", "max"}


def is_share(value: Any) -> bool:
    """Whether it is a percentage, or nothing was there to have one."""
    return value is None or (isinstance(value, int | float) and 0 <= value <= 100)
