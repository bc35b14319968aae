"""A WebSocket client as Twilio's media edge is one, on the sans-IO protocol of `websockets`.

Frames are handled inside `data_received`, so that arrival times are the socket's own and no task stands between a frame
and its record; and a test may break every rule of the protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Callable, Mapping
from typing import cast
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidState, InvalidURI
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.uri import parse_uri

from toolbox.phone.notices import (
    STREAM_CONNECT_TIMEOUT,
    STREAM_HANDSHAKE,
    STREAM_REFUSED,
    STREAM_TLS,
)
from toolbox.phone.websocket_events import Closing, StreamConnectError, WebsocketListener

USER_AGENT = "Twilio.TmeWs/1.0"
_RSV1 = 0x40
_WRITE_LIMIT = 4 * 1024 * 1024
"""Bytes that may wait for a server that does not read; frames beyond are dropped and counted."""


class WebsocketLink(asyncio.Protocol):
    """One connection. Made by `open_websocket`."""

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        listener: WebsocketListener,
        clock: Callable[[], float],
        max_message_bytes: int,
    ) -> None:
        self._protocol = ClientProtocol(parse_uri(url), max_size=max_message_bytes)
        self._headers = headers
        self._listener = listener
        self._clock = clock
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self._parts_opcode = Opcode.TEXT
        self._told = False
        self._we_close = False
        self._silent = False
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost = asyncio.Event()
        self.unsent = 0
        self.response: Response | None = None

    # Writing.

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._protocol.state is State.OPEN and not self._silent

    def send_text(self, text: str) -> bool:
        """Send a text message; False when the connection is not open or the server does not read."""
        return self.send_frame(Opcode.TEXT, text.encode())

    def send_binary(self, data: bytes) -> bool:
        """Send a binary message."""
        return self.send_frame(Opcode.BINARY, data)

    def send_frame(self, opcode: Opcode, data: bytes, *, fin: bool = True, rsv1: bool = False) -> bool:
        """Send one frame with any content: invalid UTF-8, a compression bit nobody negotiated, a lone fragment."""
        if not self.is_open or self._transport is None:
            return False
        if self._transport.get_write_buffer_size() > _WRITE_LIMIT:
            self.unsent += 1
            return False
        # Past the protocol object, which would refuse to send what it must not: a test may.
        frame = bytearray(Frame(opcode, data, fin=fin).serialize(mask=True))
        if rsv1:
            frame[0] |= _RSV1
        self._transport.write(frame)
        return True

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin the closing handshake."""
        self._we_close = True
        if self._silent:
            return
        if self._protocol.state is State.OPEN:
            with contextlib.suppress(InvalidState):
                self._protocol.send_close(code, reason)
            self._flush()

    async def closed(self, timeout_s: float) -> None:
        """Wait for the end of the connection; drop it after the time-out."""
        if self._silent:
            self.drop()
        try:
            async with asyncio.timeout(timeout_s):
                await self.lost.wait()
        except TimeoutError:
            self.drop()
            await self.lost.wait()

    # Breaking things.

    def drop(self, *, reset: bool = False) -> None:
        """Drop the TCP connection without a closing handshake; with `reset` the peer gets RST instead of FIN."""
        if self._transport is None:
            return
        if reset:
            sock = self._transport.get_extra_info("socket")
            if sock is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def stop_reading(self) -> None:
        """Leave everything the server sends in the socket."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def go_silent(self) -> None:
        """Become a half-open connection: nothing is read, nothing is sent any more, nothing is closed."""
        self.stop_reading()
        self._silent = True

    # asyncio.Protocol.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the upgrade request, exactly with the headers given."""
        # Not checked with isinstance: uvloop's transports are asyncio's in behaviour only.
        self._transport = cast(asyncio.Transport, transport)
        request = self._protocol.connect()
        for name, value in self._headers.items():
            request.headers[name] = value
        self._protocol.send_request(Request(request.path, request.headers))
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Hand every complete message to the listener."""
        at = self._clock()
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Response):
                self._handshake(event)
            elif isinstance(event, Frame):
                self._frame(event, at)
        self._flush()

    def eof_received(self) -> bool:
        """The server has closed its side."""
        self._protocol.receive_eof()
        self._flush()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, whoever ended it."""
        if self._protocol.state is not State.CLOSED:
            with contextlib.suppress(EOFError, AssertionError):
                self._protocol.receive_eof()
        if not self.opened.done():
            error = self._protocol.handshake_exc or exc or ConnectionError("closed before the handshake was over")
            self.opened.set_exception(StreamConnectError(STREAM_HANDSHAKE, _describe(error)))
        self._tell(self._closing())
        self.lost.set()

    # Inside.

    def _handshake(self, response: Response) -> None:
        self.response = response
        if self.opened.done():
            return
        error = self._protocol.handshake_exc
        if error is None:
            self.opened.set_result(None)
        else:
            detail = f"HTTP status {response.status_code}" if response.status_code != 101 else _describe(error)
            self.opened.set_exception(StreamConnectError(STREAM_HANDSHAKE, detail))

    def _frame(self, frame: Frame, at: float) -> None:
        opcode = frame.opcode
        if opcode is Opcode.CLOSE:
            # The server's close ends the stream at once; the TCP connection may take its time.
            self._tell(self._closing())
            return
        if opcode is Opcode.TEXT or opcode is Opcode.BINARY:
            if frame.fin:
                self._message(opcode, bytes(frame.data), at)
                return
            self._parts, self._parts_opcode = [bytes(frame.data)], opcode
        elif opcode is Opcode.CONT:
            self._parts.append(bytes(frame.data))
            if frame.fin:
                self._message(self._parts_opcode, b"".join(self._parts), at)
                self._parts = []

    def _message(self, opcode: Opcode, data: bytes, at: float) -> None:
        if opcode is Opcode.BINARY:
            self._listener.on_binary(len(data), at)
            return
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self._protocol.fail(1007, "invalid UTF-8")
            return
        self._listener.on_text(text, at)

    def _closing(self) -> Closing:
        received, sent = self._protocol.close_rcvd, self._protocol.close_sent
        if received is not None and (self._protocol.close_rcvd_then_sent or not self._we_close):
            return Closing("server", received.code, received.reason)
        if self._we_close:
            return Closing("us", received.code if received else None)
        if sent is not None:
            return Closing("protocol", sent.code, sent.reason)
        return Closing("network")

    def _tell(self, closing: Closing) -> None:
        if not self._told:
            self._told = True
            self._listener.on_closed(closing)

    def _flush(self) -> None:
        transport = self._transport
        if transport is None or self._silent:
            return
        for data in self._protocol.data_to_send():
            if data:
                transport.write(data)
            elif not transport.is_closing():
                # An empty piece asks for the end of our side.
                transport.close()


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


async def open_websocket(
    url: str,
    *,
    headers: Mapping[str, str],
    listener: WebsocketListener,
    clock: Callable[[], float],
    timeout_s: float,
    max_message_bytes: int = 1024 * 1024,
    tls: ssl.SSLContext | None = None,
    via: str | None = None,
) -> WebsocketLink:
    """Connect and complete the upgrade: no subprotocol, no extension, no Origin.

    With `via`, the connection goes to that URL's host while the request stays the one for `url`.

    Raises:
        StreamConnectError: With Twilio's code: 31901 time-out, 31902 refused, 31910 TLS, 31920 any answer but 101.
    """
    try:
        link = WebsocketLink(url, headers=headers, listener=listener, clock=clock, max_message_bytes=max_message_bytes)
    except InvalidURI as error:
        raise StreamConnectError(STREAM_HANDSHAKE, str(error)) from error
    parts = urlsplit(via or url)
    secure = parts.scheme == "wss"
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            await loop.create_connection(
                lambda: link,
                parts.hostname or "",
                parts.port or (443 if secure else 80),
                ssl=(tls or ssl.create_default_context()) if secure else None,
            )
            await link.opened
    except TimeoutError as error:
        link.drop()
        raise StreamConnectError(STREAM_CONNECT_TIMEOUT, f"no upgrade within {timeout_s:g} s") from error
    except ssl.SSLError as error:
        raise StreamConnectError(STREAM_TLS, _describe(error)) from error
    except OSError as error:
        raise StreamConnectError(STREAM_REFUSED, _describe(error)) from error
    except (StreamConnectError, InvalidHandshake, asyncio.CancelledError):
        link.drop()
        raise
    return link
