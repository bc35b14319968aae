"""The order of a Media Stream: from raw text frames to line events, and when to hang up on the peer. Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from gateway.line import CallerSpoke, KeyPressed, LineEvent, LineStopped, MarkEchoed
from gateway.twilio.messages import (
    Digit,
    Echo,
    Ignored,
    MalformedMessageError,
    Media,
    Started,
    Stopped,
    StreamMessage,
    parse,
)

CLOSE_PROTOCOL_ERROR: Final = 1002
CLOSE_UNSUPPORTED: Final = 1003
CLOSE_POLICY: Final = 1008
_SEQUENCE_WINDOW: Final = 64


class StreamRefusedError(Exception):
    """The socket is to be closed with this code."""

    def __init__(self, code: int, why: str) -> None:
        """`why` goes to the peer and the log: it quotes nothing of what came."""
        super().__init__(why)
        self.code = code


@dataclass(slots=True)
class StreamCounts:
    """What was found amiss on a socket, for metrics."""

    malformed: int = 0
    binary: int = 0
    foreign: int = 0
    """Messages of another streamSid or of a track that is not the caller's."""
    sequence_gaps: int = 0
    duplicates: int = 0


@dataclass(slots=True)
class _Sequence:
    """Which sequence numbers were seen, over a window that never grows."""

    highest: int = 0
    seen: int = 0
    """Bit n is set when `highest - n` was seen."""

    def admit(self, number: int, counts: StreamCounts) -> bool:
        """Count gaps and duplicates; False for a duplicate."""
        step = number - self.highest
        if step == 1:
            self.seen = ((self.seen << 1) | 1) & ((1 << _SEQUENCE_WINDOW) - 1)
        elif step > 1:
            if self.highest:
                counts.sequence_gaps += 1
            self.seen = ((self.seen << min(step, _SEQUENCE_WINDOW)) | 1) & ((1 << _SEQUENCE_WINDOW) - 1)
        else:
            # Older than the window cannot be told from a duplicate, and is far too late to be of use.
            if step <= -_SEQUENCE_WINDOW or self.seen >> -step & 1:
                counts.duplicates += 1
                return False
            self.seen |= 1 << -step
            return True
        self.highest = number
        return True


@dataclass(slots=True)
class StreamProtocol:
    """One socket's messages. Feed every frame to `text` or `binary`."""

    max_malformed: int = 20
    counts: StreamCounts = field(default_factory=StreamCounts)
    started: Started | None = None
    stopped: bool = False
    _sequence: _Sequence = field(default_factory=_Sequence)

    def text(self, frame: str) -> Started | LineEvent | None:
        """Take a text frame; what it means, or None when it means nothing.

        Raises:
            StreamRefusedError: the socket is to be closed.
        """
        try:
            message = parse(frame)
        except MalformedMessageError as error:
            self._amiss(str(error))
            return None
        if self.stopped:
            return None
        if self.started is None:
            return self._before_start(message)
        return self._event(message)

    def binary(self) -> None:
        """A binary frame came: nobody sends those.

        Raises:
            StreamRefusedError: the socket is to be closed.
        """
        self.counts.binary += 1
        self._amiss("binary frame")

    def _before_start(self, message: StreamMessage) -> Started | None:
        if isinstance(message, Started):
            if message.sequence is not None:
                self._sequence.admit(message.sequence, self.counts)
            self.started = message
            return message
        if isinstance(message, Media | Digit | Echo | Stopped):
            raise StreamRefusedError(CLOSE_PROTOCOL_ERROR, "a message before start")
        return None

    def _event(self, message: StreamMessage) -> LineEvent | None:
        if isinstance(message, Started):
            raise StreamRefusedError(CLOSE_PROTOCOL_ERROR, "a second start")
        if not isinstance(message, Media | Digit | Echo | Stopped):
            if not isinstance(message, Ignored):
                self._amiss("connected twice")
            return None
        assert self.started is not None
        if message.stream_sid != self.started.stream_sid:
            self.counts.foreign += 1
            return None
        if message.sequence is not None and not self._sequence.admit(message.sequence, self.counts):
            return None
        if isinstance(message, Media):
            if not message.inbound:
                self.counts.foreign += 1
                return None
            return CallerSpoke(message.payload) if message.payload else None
        if isinstance(message, Echo):
            return MarkEchoed(message.name)
        if isinstance(message, Digit):
            return KeyPressed(message.digit)
        self.stopped = True
        return LineStopped()

    def _amiss(self, why: str) -> None:
        self.counts.malformed += 1
        if self.counts.malformed >= self.max_malformed:
            raise StreamRefusedError(CLOSE_POLICY, f"too many malformed messages, the last: {why}")
