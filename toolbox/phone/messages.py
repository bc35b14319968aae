"""The JSON of Media Streams: built as Twilio builds it, read as strictly as Twilio documents it."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CONNECTED = '{"event":"connected","protocol":"Call","version":"1.0.0"}'
"""The first message: no streamSid, no sequence number."""


def start(*, sequence: int, stream_sid: str, account_sid: str, call_sid: str, parameters: Mapping[str, str]) -> str:
    """The `start` message of a bidirectional stream. Counters are strings, rate and channels are integers."""
    return json.dumps(
        {
            "event": "start",
            "sequenceNumber": str(sequence),
            "start": {
                "accountSid": account_sid,
                "streamSid": stream_sid,
                "callSid": call_sid,
                "tracks": ["inbound"],
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                "customParameters": dict(parameters),
            },
            "streamSid": stream_sid,
        },
        separators=(",", ":"),
    )


def media(*, sequence: int, stream_sid: str, chunk: int, timestamp_ms: int, payload: bytes) -> str:
    """A `media` message. Written by hand: it is built fifty times a second for each call."""
    return (
        f'{{"event":"media","sequenceNumber":"{sequence}","media":{{"track":"inbound","chunk":"{chunk}",'
        f'"timestamp":"{timestamp_ms}","payload":"{base64.b64encode(payload).decode("ascii")}"}},'
        f'"streamSid":"{stream_sid}"}}'
    )


def dtmf(*, sequence: int, stream_sid: str, digit: str) -> str:
    """A `dtmf` message."""
    return (
        f'{{"event":"dtmf","streamSid":"{stream_sid}","sequenceNumber":"{sequence}",'
        f'"dtmf":{{"track":"inbound_track","digit":{json.dumps(digit)}}}}}'
    )


def mark(*, sequence: int, stream_sid: str, name: str) -> str:
    """The echo of a mark."""
    return (
        f'{{"event":"mark","sequenceNumber":"{sequence}","streamSid":"{stream_sid}",'
        f'"mark":{{"name":{json.dumps(name)}}}}}'
    )


def stop(*, sequence: int, stream_sid: str, account_sid: str, call_sid: str) -> str:
    """The `stop` message: the stream or the call is over."""
    return json.dumps(
        {
            "event": "stop",
            "sequenceNumber": str(sequence),
            "stop": {"accountSid": account_sid, "callSid": call_sid},
            "streamSid": stream_sid,
        },
        separators=(",", ":"),
    )


class InvalidMessageError(ValueError):
    """The server sent something outside the documented protocol (warning 31951)."""


@dataclass(frozen=True, slots=True)
class AgentMedia:
    """Audio for the caller: raw μ-law at 8 kHz, any length."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class AgentMark:
    """A mark to echo when the audio before it has been played."""

    name: str


@dataclass(frozen=True, slots=True)
class AgentClear:
    """Throw away what is buffered."""


def parse(text: str, stream_sid: str) -> AgentMedia | AgentMark | AgentClear:
    """Read one message of the server.

    Raises:
        InvalidMessageError: Not JSON, another event, missing or unexpected fields, a foreign streamSid, bad base64.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidMessageError("not valid JSON") from error
    if not isinstance(message, dict):
        raise InvalidMessageError("not a JSON object")
    event = message.get("event")
    if event not in ("media", "mark", "clear"):
        raise InvalidMessageError(f"unsupported event {str(event)[:40]!r}")
    if message.get("streamSid") != stream_sid:
        raise InvalidMessageError("streamSid is not this stream's")
    if event == "clear":
        _only(message, {"event", "streamSid"})
        return AgentClear()
    _only(message, {"event", "streamSid", event})
    body = message.get(event)
    if not isinstance(body, dict):
        raise InvalidMessageError(f"{event} lacks its object")
    if event == "mark":
        _only(body, {"name"})
        name = body.get("name")
        if not isinstance(name, str):
            raise InvalidMessageError("mark lacks its name")
        return AgentMark(name)
    _only(body, {"payload"})
    payload = body.get("payload")
    if not isinstance(payload, str):
        raise InvalidMessageError("media lacks its payload")
    try:
        return AgentMedia(base64.b64decode(payload, validate=True))
    except (binascii.Error, ValueError) as error:
        raise InvalidMessageError("payload is not base64") from error


def _only(fields: Mapping[str, Any], allowed: set[str]) -> None:
    unexpected = fields.keys() - allowed
    if unexpected:
        raise InvalidMessageError(f"unexpected field {min(unexpected)[:40]!r}")
