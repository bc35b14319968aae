"""Names of the contracts' enum values, of values that only a newer peer knows too."""

from __future__ import annotations

from typing import Protocol


class Enum(Protocol):
    """A generated enum, as protobuf wraps it."""

    def Name(self, number: int) -> str:  # noqa: N802 - protobuf's name
        """The name of a known value; ValueError for an unknown one."""


def enum_name(enum: Enum, number: int, prefix: str = "") -> str:
    """The value's name without its prefix, in lower case; the number where this version has no name for it.

    Enums of proto3 are open: a value from a newer version of the contract arrives as it was sent, and must not end a
    call because it is written to a log.
    """
    try:
        return enum.Name(number).removeprefix(prefix).lower()
    except ValueError:
        return str(number)
