"""What Twilio's debugger would show: errors and warnings with their codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Level = Literal["error", "warning"]

HTTP_RETRIEVAL_FAILURE: Final = 11200
HTTP_TIMEOUT: Final = 11205
HTTP_CONNECTION_FAILURE: Final = 11210
RESPONSE_TOO_LARGE: Final = 11750
DOCUMENT_PARSE_FAILURE: Final = 12100
SCHEMA_VALIDATION: Final = 12200
INVALID_CONTENT_TYPE: Final = 12300
DIAL_INVALID_NUMBER: Final = 13224
STREAM_CONNECT_TIMEOUT: Final = 31901
STREAM_REFUSED: Final = 31902
STREAM_BROKEN: Final = 31903
STREAM_TLS: Final = 31910
STREAM_HANDSHAKE: Final = 31920
STREAM_CLOSED: Final = 31921
STREAM_SCHEME: Final = 31922
STREAM_PROTOCOL: Final = 31924
STREAM_BINARY_MESSAGE: Final = 31950
STREAM_INVALID_MESSAGE: Final = 31951

TITLES: Final[dict[int, str]] = {
    HTTP_RETRIEVAL_FAILURE: "HTTP retrieval failure",
    HTTP_TIMEOUT: "HTTP connection timed out",
    HTTP_CONNECTION_FAILURE: "HTTP connection failure",
    RESPONSE_TOO_LARGE: "TwiML response body too large",
    DOCUMENT_PARSE_FAILURE: "Document parse failure",
    SCHEMA_VALIDATION: "Schema validation warning",
    INVALID_CONTENT_TYPE: "Invalid Content-Type",
    DIAL_INVALID_NUMBER: "Dial: invalid phone number",
    STREAM_CONNECT_TIMEOUT: "Stream - WebSocket - Connection Timeout",
    STREAM_REFUSED: "Stream - WebSocket - Connection Refused",
    STREAM_BROKEN: "Stream - WebSocket - Connection Broken Pipe",
    STREAM_TLS: "Stream - WebSocket - SSL Protocol Error",
    STREAM_HANDSHAKE: "Stream - WebSocket - Handshake Error",
    STREAM_CLOSED: "Stream - WebSocket - Close Error",
    STREAM_SCHEME: "Stream - WebSocket - URL Schema Not Supported",
    STREAM_PROTOCOL: "Stream - WebSocket - Protocol Error",
    STREAM_BINARY_MESSAGE: "Stream - Protocol - Malformed Message",
    STREAM_INVALID_MESSAGE: "Stream - Protocol - Invalid Message",
}

_WARNINGS = frozenset({SCHEMA_VALIDATION, STREAM_BINARY_MESSAGE, STREAM_INVALID_MESSAGE})


@dataclass(frozen=True, slots=True)
class Notice:
    """One entry of the debugger."""

    code: int
    detail: str

    @property
    def level(self) -> Level:
        """How Twilio grades this code."""
        return "warning" if self.code in _WARNINGS else "error"

    @property
    def title(self) -> str:
        """Twilio's name for this code."""
        return TITLES.get(self.code, "Unknown")

    def __str__(self) -> str:
        return f"{self.level} {self.code} {self.title}: {self.detail}"
