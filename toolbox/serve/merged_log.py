"""The logs of several processes as one that a person can follow."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

# Distinct on dark and light grounds; red is left to errors.
_COLOURS = ("36", "35", "34", "33", "32", "96", "95")
_LEVEL_COLOURS = {"warning": "33", "error": "31", "critical": "31;1"}
# Told by the line's own form, or of no use to a person who watches.
_HIDDEN = frozenset({"timestamp", "level", "event", "service", "logger", "pid"})


class MergedLog:
    """Writes lines of several processes, each with its process's name before it.

    Args:
        services: Names, for width and colour.
        out: Where to.
        colour: Whether to use it; None asks the terminal.
        raw: Lines as they come, untouched: for a collector of JSON logs.
    """

    def __init__(
        self, services: Sequence[str], out: TextIO | None = None, *, colour: bool | None = None, raw: bool = False
    ) -> None:
        self._out = out or sys.stderr
        self._colour = self._out.isatty() if colour is None else colour
        self._raw = raw
        self._width = max((len(name) for name in services), default=0)
        self._colours = {name: _COLOURS[index % len(_COLOURS)] for index, name in enumerate(services)}

    def line(self, service: str, line: str) -> None:
        """Write one line of a process's output."""
        if self._raw:
            self._out.write(line + "\n")
        else:
            name = self._painted(f"{service:<{self._width}}", self._colours.get(service, "0"))
            self._out.write(f"{name} │ {self._shown(line)}\n")
        self._out.flush()

    def note(self, service: str, text: str, *, level: str = "info") -> None:
        """Write a remark of the supervisor's own about a process."""
        self.line(service, json.dumps({"level": level, "event": text, "service": f"parley-{service}"}))

    def _shown(self, line: str) -> str:
        record = _parsed(line)
        if record is None:
            return line
        text = readable(line)
        level_colour = _LEVEL_COLOURS.get(str(record.get("level", "")))
        return self._painted(text, level_colour) if level_colour else text

    def _painted(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour else text


def readable(line: str) -> str:
    """One line of JSON log as a person reads it; any other line as it is."""
    record = _parsed(line)
    if record is None:
        return line
    clock = str(record.get("timestamp", ""))
    parts = [clock.partition("T")[2][:12]] if "T" in clock else []
    level = str(record.get("level", ""))
    if level not in {"", "info"}:
        parts.append(level.upper())
    parts.append(str(record["event"]))
    parts += [f"{key}={_value(value)}" for key, value in record.items() if key not in _HIDDEN]
    return " ".join(parts)


def _parsed(line: str) -> Mapping[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and "event" in record else None


def _value(value: object) -> str:
    if isinstance(value, str):
        return value if value and " " not in value and "\n" not in value else json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False)
