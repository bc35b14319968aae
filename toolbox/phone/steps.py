"""What a call does next: fetch a document, perform one it was given, or hang up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Step:
    """One document to perform: fetched from a URL, or given inline."""

    url: str = ""
    method: str = "POST"
    twiml: str | None = None
    parameters: tuple[tuple[str, str], ...] = field(default=())
    """Sent besides the call's own: Digits, RecordingUrl …"""
    fallback_url: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """A change of course from outside the TwiML: the person hangs up, the REST API redirects or ends the call."""

    kind: Literal["hang_up", "end", "perform"]
    step: Step | None = None
