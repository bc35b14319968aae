"""Names of the contracts' enum values, of values that only a newer peer knows too."""

from __future__ import annotations

from typing import Any


def enum_name(enum: Any, number: int, prefix: str = "") -> str:
    """The value's name without its prefix, in lower case; the number where this version has no name for it.

    ``enum`` is a generated enum, which protobuf's stubs type as a class and which at run time is a wrapper.

    Enums of proto3 are open: a value from a newer version of the contract arrives as it was sent, and must not end a
    call because it is written to a log.
    """
    try:
        name: str = enum.Name(number)
    except ValueError:
        return str(number)
    return name.removeprefix(prefix).lower()
