"""Where commands write: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console


def print_json(report: Mapping[str, Any]) -> None:
    """Print one JSON object, on one line, as all there is on standard output."""
    sys.stdout.write(json.dumps(_without_nan(report), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def error_console() -> Console:
    """A console on standard error; colours and moving lines only where it is a terminal."""
    return Console(stderr=True, highlight=False)


def result_console() -> Console:
    """A console on standard output for results that people read."""
    return Console(highlight=False)


def _without_nan(value: Any) -> Any:
    """Strict JSON has neither NaN nor infinity: what was not measured is null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value
