"""Twilio's identifiers: two letters for the kind, 32 hexadecimal digits."""

from __future__ import annotations

import re
import uuid

_SID = re.compile(r"[A-Z]{2}[0-9a-f]{32}")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


def new_sid(kind: str) -> str:
    """A fresh identifier of a kind: CA call, MZ stream, RE recording, PN phone number."""
    return kind + uuid.uuid4().hex


def is_sid(text: str) -> bool:
    """Whether a text has the shape of an identifier."""
    return _SID.fullmatch(text) is not None


def is_e164(number: str) -> bool:
    """Whether a text has the shape of an international telephone number."""
    return _E164.fullmatch(number) is not None
