"""`wss …/voice/stream`: Twilio's media socket."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from gateway.call_session import CallSession
from gateway.calls import Call, Next
from gateway.listening import ABORT_EXTENSION
from gateway.observing import GatewayMetrics
from gateway.settings import GatewaySettings
from gateway.switchboard import Switchboard
from gateway.tokens import TokenKind, TokenLedger, TokenMint, TokenRejectedError
from gateway.twilio.line import TwilioLine
from gateway.twilio.messages import Started
from gateway.twilio.signature import SignatureCheck
from gateway.twilio.stream_protocol import CLOSE_POLICY, CLOSE_UNSUPPORTED, StreamProtocol, StreamRefusedError
from gateway.twilio.twiml import TOKEN_PARAMETER
from servicekit.logs import bind_call, get_logger

_log = get_logger(__name__)


class StreamEndpoint:
    """The ASGI application behind the stream's path. Bare ASGI, because every message of every call comes through."""

    def __init__(
        self,
        switchboard: Switchboard,
        *,
        settings: GatewaySettings,
        signatures: SignatureCheck,
        mint: TokenMint,
        ledger: TokenLedger,
        metrics: GatewayMetrics,
    ) -> None:
        self._switchboard = switchboard
        self._settings = settings.stream
        self._account_sid = settings.twilio.account_sid
        self._signatures = signatures
        self._mint = mint
        self._ledger = ledger
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket."""
        await receive()  # websocket.connect
        if not self._signatures.upgrade(Headers(scope=scope), scope["path"]):
            _log.warning("stream refused", why="not signed by Twilio")
            await send({"type": "websocket.close"})  # before accept, this is a 403
            return
        await send({"type": "websocket.accept"})
        abort = scope["extensions"][ABORT_EXTENSION]["abort"]
        protocol = StreamProtocol(max_malformed=self._settings.max_malformed)
        line = TwilioLine(send, stream_sid="", abort=abort)
        try:
            async with asyncio.timeout(self._settings.start_deadline_s):
                started = await _start(receive, protocol)
            if started is None:
                return
            line = TwilioLine(send, stream_sid=started.stream_sid, abort=abort)
            call, session = await self._admit(started, line)
            with bind_call(call.call_id):
                await _serve(receive, protocol, session, line)
        except TimeoutError:
            await line.refuse(CLOSE_POLICY, "no start in time")
        except StreamRefusedError as refused:
            _log.warning("stream closed", code=refused.code, why=str(refused))
            await line.refuse(refused.code, str(refused))
        finally:
            self._metrics.messages_rejected(protocol.counts)

    async def _admit(self, started: Started, line: TwilioLine) -> tuple[Call, CallSession]:
        if started.account_sid != self._account_sid:
            raise StreamRefusedError(CLOSE_POLICY, "another account")
        try:
            token = self._mint.check(started.parameters.get(TOKEN_PARAMETER, ""), started.call_sid)
        except TokenRejectedError as error:
            raise StreamRefusedError(CLOSE_POLICY, f"token {error}") from None
        if not await self._ledger.use(token):
            raise StreamRefusedError(CLOSE_POLICY, "token used before")
        call = self._switchboard.registry.find(started.call_sid)
        if call is None or call.over:
            raise StreamRefusedError(CLOSE_POLICY, "no such call")
        if (started.encoding, started.sample_rate_hz, started.channels) != ("audio/x-mulaw", 8_000, 1):
            # The next stream would be no different: let the carrier's voice say that something is wrong.
            call.next = Next.APOLOGISE
            raise StreamRefusedError(CLOSE_UNSUPPORTED, "unsupported mediaFormat")
        if token.kind is TokenKind.RESUME:
            session = await self._switchboard.reconnect(call, line)
        else:
            session = self._switchboard.connect(call, line)
        if session is None:
            raise StreamRefusedError(CLOSE_POLICY, "the call has a stream")
        return call, session


async def _start(receive: Receive, protocol: StreamProtocol) -> Started | None:
    """Read until the stream starts; None when the peer leaves before."""
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return None
        event = _take(message, protocol)
        if isinstance(event, Started):
            return event


async def _serve(receive: Receive, protocol: StreamProtocol, session: CallSession, line: TwilioLine) -> None:
    """Pass on what the socket brings until it is closed."""
    try:
        while True:
            message = await receive()
            text = message.get("text")
            if text is not None:
                event = protocol.text(text)
                if event is not None and not isinstance(event, Started):
                    session.heard(line, event)
            elif message["type"] == "websocket.disconnect":
                return
            else:
                protocol.binary()
    finally:
        session.line_lost(line)


def _take(message: Message, protocol: StreamProtocol) -> object:
    text = message.get("text")
    if text is None:
        protocol.binary()
        return None
    return protocol.text(text)
