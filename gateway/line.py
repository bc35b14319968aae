"""What a carrier's line tells us and what we may ask of it, whoever the carrier is.

A carrier is a package beside this module (`gateway/twilio/`): it decodes its own messages into `LineEvent`s and
carries out `LineCommand`s. Everything else in the gateway knows only what is written here.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

# ------------------------------------------------------------------------------------------- from the line


@dataclass(frozen=True, slots=True)
class CallerSpoke:
    """A piece of the caller's sound, raw in the line's format, of any length."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """The caller pressed a key: one of 0-9, *, #, A-D."""

    digit: str


@dataclass(frozen=True, slots=True)
class MarkEchoed:
    """The line says that the audio before this mark was played, or thrown away by `DropAudio`."""

    name: str


@dataclass(frozen=True, slots=True)
class LineStopped:
    """The carrier says that the stream is over: the caller hung up, or the call moved on."""


LineEvent: TypeAlias = CallerSpoke | KeyPressed | MarkEchoed | LineStopped

# --------------------------------------------------------------------------------------------- to the line


@dataclass(frozen=True, slots=True)
class PlayAudio:
    """Append this sound to the line's buffer."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class PlaceMark:
    """Echo this name when all audio sent before it has been played."""

    name: str


@dataclass(frozen=True, slots=True)
class DropAudio:
    """Throw away everything that the line has buffered."""


LineCommand: TypeAlias = PlayAudio | PlaceMark | DropAudio


class LineClose(enum.Enum):
    """Why we close a line; the carrier turns it into its own code."""

    CALL_OVER = "call over"
    SUPERSEDED = "superseded by a newer stream of the call"
    IDLE = "nothing was received for too long"
    STALLED = "the peer does not read"
    GOING_DOWN = "the gateway stops"


class Line(Protocol):
    """One live connection to a carrier, for one call."""

    async def perform(self, commands: Sequence[LineCommand]) -> None:
        """Carry the commands out in order. Blocks while the peer does not read; a dead line swallows them."""

    async def close(self, why: LineClose) -> None:
        """Close the line. Harmless when it is closed already."""
