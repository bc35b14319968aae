"""What a WebSocket tells: messages, how it ended, why it could not be opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol


class StreamConnectError(Exception):
    """The stream could not be opened; `code` is Twilio's."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Closing:
    """How a WebSocket ended: closed by the server, by us, broken by the network, or for breaking the protocol."""

    by: Literal["server", "us", "network", "protocol"]
    code: int | None = None
    reason: str = ""


class WebsocketListener(Protocol):
    """Who is told what arrives; called on the event loop, must not block."""

    def on_text(self, text: str, at: float) -> None:
        """A whole text message, with its arrival time."""

    def on_binary(self, size: int, at: float) -> None:
        """A whole binary message."""

    def on_closed(self, closing: Closing) -> None:
        """The connection is over; called once."""
