"""Reading a log back into the events and actions that it was made of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.engine import Action, Cues, Event, load_cues
from orchestrator.event_log.codec import UnknownKindError, decode, kinds_of
from orchestrator.event_log.header import EventLogError, Header, parley_version
from orchestrator.event_log.lines import ACTIONS_KEY, DROPPED_KEY, END_KEY
from orchestrator.event_log.stand_ins import RecordedCues

_EVENTS, _ACTIONS = kinds_of(Event), kinds_of(Action)


@dataclass(frozen=True, slots=True)
class Entry:
    """One event, and what the engine asked for when it took it up."""

    event: Event
    actions: tuple[Action, ...]


@dataclass
class RecordedCall:
    """One log, read."""

    path: Path
    header: Header
    entries: list[Entry] = field(default_factory=list)
    end: str = ""
    """``closed``, ``full`` (the file's limit was reached) or, for a process that died meanwhile, empty."""
    dropped: dict[int, int] = field(default_factory=dict)
    """Where events are missing: index of the entry before which → how many."""
    recorded_cues: RecordedCues | None = None
    """What answers for the cues; None where the log holds what was said."""

    @property
    def cues(self) -> Cues:
        """What to make an engine with that replays this call."""
        return load_cues(self.header.language) if self.recorded_cues is None else self.recorded_cues.as_cues()


def read_log(path: Path) -> RecordedCall:
    """Read a log. A last line that was cut off by the process's death is left out.

    Raises:
        EventLogError: it is no log, or one that this version cannot read.
    """
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise EventLogError(f"{path}: cannot be read: {reason}") from None
    lines = _objects(path, content)
    first = next(lines, None)
    if first is None:
        raise EventLogError(f"{path}: the file is empty")
    try:
        header = Header.of_json(first[1])
    except EventLogError as error:
        raise EventLogError(f"{path}: {error}") from None
    cues = None if header.transcripts else RecordedCues(header.cues_of_nothing)
    call = RecordedCall(path, header, recorded_cues=cues)
    for number, line in lines:
        try:
            _take(call, line)
        except (UnknownKindError, ValueError, TypeError) as error:
            wrote = f"Parley {header.parley} wrote it, this is Parley {parley_version()}"
            raise EventLogError(f"{path}, line {number}: {error}; {wrote}") from None
    return call


def _objects(path: Path, content: str) -> Iterator[tuple[int, dict[str, Any]]]:
    numbered = [(number, line) for number, line in enumerate(content.split("\n"), 1) if line.strip()]
    for number, line in numbered:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            if number == numbered[-1][0] and number > 1 and not content.endswith("\n"):
                return
            raise EventLogError(f"{path}, line {number}: is no JSON") from None
        if not isinstance(value, dict):
            raise EventLogError(f"{path}, line {number}: should be a JSON object")
        yield number, value


def _take(call: RecordedCall, line: dict[str, Any]) -> None:
    if DROPPED_KEY in line:
        missing = int(line[DROPPED_KEY])
        call.dropped[len(call.entries)] = call.dropped.get(len(call.entries), 0) + missing
    elif END_KEY in line:
        call.end = str(line[END_KEY])
    else:
        unmask = _no_stand_ins if call.recorded_cues is None else call.recorded_cues.text_for
        actions = line.pop(ACTIONS_KEY, [])
        event = decode(line, _EVENTS, unmask)
        call.entries.append(Entry(event, tuple(decode(action, _ACTIONS, unmask) for action in actions)))


def _no_stand_ins(_: Any) -> str:
    raise UnknownKindError("a stand-in in a log that holds what was said")
