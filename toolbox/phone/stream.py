"""One bidirectional media stream: the WebSocket between the call and its server, from upgrade to `stop`."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from websockets.frames import Opcode

from toolbox.phone import messages
from toolbox.phone.handset import Handset
from toolbox.phone.heard import HeardMark
from toolbox.phone.identifiers import new_sid
from toolbox.phone.knobs import SAMPLE_RATE_HZ, Knobs
from toolbox.phone.notices import (
    STREAM_BINARY_MESSAGE,
    STREAM_BROKEN,
    STREAM_CLOSED,
    STREAM_INVALID_MESSAGE,
    STREAM_PROTOCOL,
    STREAM_SCHEME,
    Notice,
)
from toolbox.phone.playout import MarkEcho
from toolbox.phone.routes import Routes
from toolbox.phone.signature import sign
from toolbox.phone.verbs import Stream
from toolbox.phone.websocket import USER_AGENT, WebsocketLink, open_websocket
from toolbox.phone.websocket_events import Closing, StreamConnectError

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """How a stream ended. `error` is Twilio's code, None for an orderly end."""

    closing: Closing
    error: Notice | None = None


class MediaStream:
    """A stream of one call. `run()` lives as long as the stream; everything else is for looking and for breaking."""

    def __init__(
        self,
        noun: Stream,
        *,
        account_sid: str,
        auth_token: str,
        call_sid: str,
        handset: Handset,
        knobs: Knobs,
        clock: Callable[[], float],
        notify: Callable[[Notice], None],
        routes: Routes,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.sid = new_sid("MZ")
        self.noun = noun
        self.started = asyncio.Event()
        self.start_position = 0
        self.end: StreamEnd | None = None
        self.messages_received = 0
        self.link: WebsocketLink | None = None
        self._account_sid = account_sid
        self._auth_token = auth_token
        self._call_sid = call_sid
        self._handset = handset
        self._knobs = knobs
        self._clock = clock
        self._notify = notify
        self._routes = routes
        self._tls = tls
        self._sequence = 0
        self._chunk = 0
        self._warned: set[int] = set()
        self._ended: asyncio.Future[StreamEnd] = asyncio.get_running_loop().create_future()
        self._mark_timer: asyncio.TimerHandle | None = None
        self._marks: list[HeardMark] = []
        self._flood_until = 0.0
        self._flood_times = 1
        self._last_received = 0.0

    # Life.

    async def run(self, on_started: Callable[[], None] = lambda: None) -> StreamEnd:
        """Open the stream, carry the call's audio, and return when the server has closed it or it broke.

        Cancelled (hang-up, live update): sends `stop` and closes.
        """
        try:
            self.link = await self._open()
        except StreamConnectError as error:
            return self._finish(StreamEnd(Closing("network"), Notice(error.code, error.detail)))
        try:
            self._begin(self.link)
            on_started()
            await asyncio.shield(self._ended)
        finally:
            self._leave()
            if not self._ended.done():
                self._send(messages.stop(
                    sequence=self._next(), stream_sid=self.sid, account_sid=self._account_sid, call_sid=self._call_sid
                ))  # fmt: skip
                self._finish(StreamEnd(Closing("us")))
            self.link.close()
            await self.link.closed(self._knobs.websocket_close_s)
        return self._ended.result()

    async def _open(self) -> WebsocketLink:
        parts = urlsplit(self.noun.url)
        plain_allowed = self._knobs.allow_plain_ws and parts.hostname in _LOOPBACK
        if parts.scheme != "wss" and not (parts.scheme == "ws" and plain_allowed):
            raise StreamConnectError(STREAM_SCHEME, "the url's scheme must be wss")
        return await open_websocket(
            self.noun.url,
            headers={"User-Agent": USER_AGENT, "x-twilio-signature": sign(self._auth_token, self.noun.url)},
            listener=self,
            clock=self._clock,
            timeout_s=self._knobs.handshake_timeout_s,
            max_message_bytes=self._knobs.max_message_bytes,
            tls=self._tls,
            via=self._routes.actual(self.noun.url),
        )

    def _begin(self, link: WebsocketLink) -> None:
        self._last_received = self._clock()
        self.start_position = self._handset.microphone.position
        link.send_text(messages.CONNECTED)
        link.send_text(
            messages.start(
                sequence=self._next(),
                stream_sid=self.sid,
                account_sid=self._account_sid,
                call_sid=self._call_sid,
                parameters=dict(self.noun.parameters),
            )
        )
        self._handset.attach(self)
        self.started.set()

    def _leave(self) -> None:
        self._handset.detach(self)
        if self._mark_timer is not None:
            self._mark_timer.cancel()
            self._mark_timer = None
        self._handset.hush()

    def _finish(self, end: StreamEnd) -> StreamEnd:
        if not self._ended.done():
            self._ended.set_result(end)
            self.end = end
            if end.error is not None:
                self._notify(end.error)
        return self._ended.result()

    # Outlet: what the caller says.

    def frame(self, audio: bytes, position: int) -> None:
        """Send one media message; many during a flood."""
        now = self._clock()
        times = self._flood_times if now < self._flood_until else 1
        for _ in range(times):
            self._send_media(audio)
        idle = self._knobs.stream_idle_timeout_s
        if idle is not None and now - self._last_received > idle:
            self._finish(StreamEnd(Closing("us", 1001, "idle"), Notice(STREAM_BROKEN, "the server went silent")))

    def _send_media(self, audio: bytes) -> None:
        timestamp = self._chunk * len(audio) * 1000 // SAMPLE_RATE_HZ
        self._chunk += 1
        self._send(
            messages.media(
                sequence=self._next(),
                stream_sid=self.sid,
                chunk=self._chunk,
                timestamp_ms=timestamp,
                payload=audio,
            )
        )

    def digit(self, digit: str) -> None:
        """Send one dtmf message."""
        self._send(messages.dtmf(sequence=self._next(), stream_sid=self.sid, digit=digit))

    # WebsocketListener: what the server says.

    def on_text(self, text: str, at: float) -> None:
        """Perform one message of the server."""
        self.messages_received += 1
        self._last_received = at
        try:
            message = messages.parse(text, self.sid)
        except messages.InvalidMessageError as error:
            self._warn_once(STREAM_INVALID_MESSAGE, str(error))
            return
        match message:
            case messages.AgentMedia(payload):
                if payload:
                    self._handset.hear(payload, at)
            case messages.AgentMark(name):
                self._marks.append(self._handset.heard.note_mark(at, name))
                self._handset.playout.mark(self._handset.position(at), name)
                self._echo_played()
            case messages.AgentClear():
                self._echo(self._handset.clear(at))

    def on_binary(self, size: int, at: float) -> None:
        """Binary messages are not understood (31950)."""
        self._warn_once(STREAM_BINARY_MESSAGE, f"a binary message of {size} bytes")

    def on_closed(self, closing: Closing) -> None:
        """The socket is over: the call goes on with its next verb."""
        error = None
        if closing.by == "network":
            error = Notice(STREAM_BROKEN, "the connection was lost without a close")
        elif closing.by == "protocol":
            error = Notice(STREAM_PROTOCOL, closing.reason)
        elif closing.by == "server" and closing.code != 1000:
            error = Notice(STREAM_CLOSED, f"closed by the server with {closing.code} {closing.reason}".rstrip())
        self._finish(StreamEnd(closing, error))

    # Faults.

    def send_raw(self, data: str | bytes) -> None:
        """Send any text or binary message, past every counter."""
        if self.link is not None:
            self.link.send_text(data) if isinstance(data, str) else self.link.send_binary(data)

    def send_frame(self, data: bytes, *, opcode: Opcode = Opcode.TEXT, fin: bool = True, rsv1: bool = False) -> None:
        """Send any WebSocket frame: invalid UTF-8, a compression bit, a lone fragment."""
        if self.link is not None:
            self.link.send_frame(opcode, data, fin=fin, rsv1=rsv1)

    def flood(self, times: int, seconds: float) -> None:
        """Send media at a multiple of real time for a while."""
        self._flood_times, self._flood_until = times, self._clock() + seconds

    def skip_sequence(self, count: int) -> None:
        """Leave a hole in (or, negative, repeat) the sequence numbers."""
        self._sequence += count

    # Inside.

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence

    def _send(self, text: str) -> None:
        if self.link is not None:
            self.link.send_text(text)

    def _echo_played(self) -> None:
        if self._mark_timer is not None:
            self._mark_timer.cancel()
            self._mark_timer = None
        playout = self._handset.playout
        self._echo(playout.advance(self._handset.position()))
        due = playout.next_due()
        if due is not None:
            delay = max(0.0, self._handset.heard.time_of(due) - self._clock()) + 1e-4
            self._mark_timer = asyncio.get_running_loop().call_later(delay, self._echo_played)

    def _echo(self, echoes: tuple[MarkEcho, ...] | list[MarkEcho]) -> None:
        for echo in echoes:
            mark = self._marks.pop(0)
            mark.echoed_at, mark.cleared = self._clock(), echo.cleared
            self._send(messages.mark(sequence=self._next(), stream_sid=self.sid, name=echo.name))

    def _warn_once(self, code: int, detail: str) -> None:
        if code not in self._warned:
            self._warned.add(code)
            self._notify(Notice(code, detail))
