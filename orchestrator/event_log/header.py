"""The first line of a log: what the call was, so far as its turn-taking depends on it."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from orchestrator.engine import EngineSettings, Ids

FORMAT = 1
"""Counts up when a reader of the old format would misread the new one; new kinds and fields need no new number."""
FORMAT_KEY = "parley_event_log"


class EventLogError(Exception):
    """A log cannot be read; the message says where and why, and which Parley wrote it."""


@dataclass(frozen=True)
class Header:
    """What the engine of a call was made with."""

    parley: str
    """Version of the Parley that wrote the log."""
    call_id: str
    started: str
    """Wall clock, ISO 8601 in UTC; every other time is in ms since then."""
    language: str
    """BCP 47, in which the call began."""
    speculate: bool
    """Whether the engine was allowed to begin replies early."""
    transcripts: bool
    """Whether texts are what was said; else they are stand-ins."""
    settings: Mapping[str, Any]
    """All of `EngineSettings`."""
    ids: Mapping[str, int] = field(default_factory=dict)
    """The numbers that the call began above; not all zero when it was taken over from another process."""
    languages: Sequence[str] = ()
    """BCP 47 tags that the call may move to, likeliest first; empty where it never moves."""
    language_settled: bool = False
    """Whether the language had been agreed on before, in a call that was taken over."""
    cues_of_nothing: Mapping[str, Any] = field(default_factory=dict)
    """What the cues answer about an empty text; where texts are stand-ins."""

    def as_json(self) -> dict[str, Any]:
        """The line."""
        return {FORMAT_KEY: FORMAT, **asdict(self)}

    @classmethod
    def of_json(cls, line: Mapping[str, Any]) -> Header:
        """Read the line.

        Raises:
            EventLogError: it is no header, or of a format that this version cannot read.
        """
        version = line.get(FORMAT_KEY)
        if type(version) is not int:
            raise EventLogError("this is no event log of Parley: the first line should say so")
        if version != FORMAT:
            wrote = line.get("parley", "unknown")
            raise EventLogError(
                f"the log has format {version} (written by Parley {wrote}); Parley {parley_version()} reads {FORMAT}"
            )
        try:
            return cls(**{str(key): value for key, value in line.items() if key in cls.__dataclass_fields__})
        except TypeError as error:
            raise EventLogError(f"the log's first line is incomplete: {error}") from None

    def new_ids(self) -> Ids:
        """The engine's numbers as they were when the call began."""
        return Ids(**self.ids)


def engine_settings_of(settings: EngineSettings) -> dict[str, Any]:
    """Turn-taking's settings alone, as JSON: a subclass may hold secrets."""
    alone = {name: getattr(settings, name) for name in EngineSettings.model_fields}
    return EngineSettings.model_construct(**alone).model_dump(mode="json")


def parley_version() -> str:
    """The installed version; "unknown" when Parley runs without being installed."""
    try:
        return importlib.metadata.version("parley")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
