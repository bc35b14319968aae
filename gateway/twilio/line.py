"""A Media Stream as a `Line`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from starlette.types import Send

from gateway.line import LineClose, LineCommand, PlaceMark, PlayAudio
from gateway.twilio.messages import clear_message, mark_message, media_message

_CLOSE_CODES: Final = {
    LineClose.CALL_OVER: 1000,
    LineClose.SUPERSEDED: 1008,
    LineClose.IDLE: 1001,
    LineClose.STALLED: 1008,
    LineClose.GOING_DOWN: 1012,
}
_CLOSE_WITHIN_S: Final = 1.0


class TwilioLine:
    """One socket after its `start`."""

    def __init__(self, send: Send, *, stream_sid: str, abort: Callable[[], None]) -> None:
        """`abort` drops the connection at once, without sending what waits."""
        self._send = send
        self._stream_sid = stream_sid
        self._abort = abort
        self._closed = False

    async def perform(self, commands: Sequence[LineCommand]) -> None:
        """Carry the commands out in order. Blocks while the peer does not read; a dead line swallows them."""
        for command in commands:
            if type(command) is PlayAudio:
                text = media_message(self._stream_sid, command.payload)
            elif type(command) is PlaceMark:
                text = mark_message(self._stream_sid, command.name)
            else:
                text = clear_message(self._stream_sid)
            await self._send_text(text)

    async def close(self, why: LineClose) -> None:
        """Close the socket; a peer that takes nothing is cut off."""
        await self.refuse(_CLOSE_CODES[why], why.value)
        if why in {LineClose.STALLED, LineClose.IDLE}:
            self._abort()

    async def refuse(self, code: int, why: str) -> None:
        """Close the socket with a code of the caller's choosing."""
        if self._closed:
            return
        self._closed = True
        try:
            async with asyncio.timeout(_CLOSE_WITHIN_S):
                await self._send({"type": "websocket.close", "code": code, "reason": why})
        except TimeoutError:
            self._abort()
        except OSError:
            return  # gone already

    async def _send_text(self, text: str) -> None:
        if self._closed:
            return
        try:
            await self._send({"type": "websocket.send", "text": text})
        except OSError:
            self._closed = True
        except RuntimeError:
            # Closed from our side while this message waited for room.
            if not self._closed:
                raise
