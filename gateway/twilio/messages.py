"""Twilio Media Streams, message by message: the JSON that comes over the socket and the JSON that goes back. Sans-IO.

Source: Twilio's "Media Streams - WebSocket Messages". Nothing that arrives is trusted: whatever is not understood
raises `MalformedMessageError` or decodes to `Ignored`, and nothing of it is kept.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeAlias

MAX_CUSTOM_PARAMETERS: Final = 64
_DIGITS: Final = frozenset("0123456789*#ABCD")
_MAX_NAME_CHARS: Final = 200
_MAX_SEQUENCE_CHARS: Final = 18


class MalformedMessageError(ValueError):
    """Not a message of the protocol; the text says why and quotes nothing."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The first message on a socket."""


@dataclass(frozen=True, slots=True)
class Started:
    """The stream begins."""

    sequence: int | None
    stream_sid: str
    account_sid: str
    call_sid: str
    encoding: str
    sample_rate_hz: int
    channels: int
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Media:
    """A piece of sound."""

    sequence: int | None
    stream_sid: str
    inbound: bool
    payload: bytes


@dataclass(frozen=True, slots=True)
class Digit:
    """A key was pressed."""

    sequence: int | None
    stream_sid: str
    digit: str


@dataclass(frozen=True, slots=True)
class Echo:
    """A mark came back."""

    sequence: int | None
    stream_sid: str
    name: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The stream is over."""

    sequence: int | None
    stream_sid: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """A message of a kind that means nothing to us."""


StreamMessage: TypeAlias = Connected | Started | Media | Digit | Echo | Stopped | Ignored


def _refuse_constant(_name: str) -> NoReturn:
    raise MalformedMessageError("NaN or infinity is not JSON")


# One decoder for all: json.loads would build one for each message, because of parse_constant.
_decode_json = json.JSONDecoder(parse_constant=_refuse_constant).decode
_IGNORED = Ignored()


def parse(text: str) -> StreamMessage:
    """Decode one text frame.

    Raises:
        MalformedMessageError: it is not JSON, not an object, or lacks what its kind must have.
    """
    try:
        message = _decode_json(text)
    except MalformedMessageError:
        raise
    except RecursionError:
        raise MalformedMessageError("nested too deeply") from None
    except ValueError:
        # Bad syntax, and integers of thousands of digits.
        raise MalformedMessageError("not JSON") from None
    if type(message) is not dict:
        raise MalformedMessageError("not an object")
    event = message.get("event")
    if event == "media":  # fifty a second: looked at first
        return _media(message)
    if event == "mark":
        return Echo(_sequence(message), _stream_sid(message), _text(_object(message, "mark"), "name"))
    if event == "dtmf":
        digit = _text(_object(message, "dtmf"), "digit")
        return Digit(_sequence(message), _stream_sid(message), digit) if digit in _DIGITS else _IGNORED
    if event == "start":
        return _started(message)
    if event == "stop":
        return Stopped(_sequence(message), _stream_sid(message))
    if event == "connected":
        return Connected()
    if not isinstance(event, str):
        raise MalformedMessageError("no event")
    return _IGNORED


def media_message(stream_sid: str, payload: bytes) -> str:
    """Play this raw μ-law, of any length."""
    encoded = binascii.b2a_base64(payload, newline=False).decode("ascii")
    return f'{{"event":"media","streamSid":{_quoted(stream_sid)},"media":{{"payload":"{encoded}"}}}}'


def mark_message(stream_sid: str, name: str) -> str:
    """Echo this name when everything before it was played."""
    return f'{{"event":"mark","streamSid":{_quoted(stream_sid)},"mark":{{"name":{_quoted(name)}}}}}'


def clear_message(stream_sid: str) -> str:
    """Throw away what is buffered."""
    return f'{{"event":"clear","streamSid":{_quoted(stream_sid)}}}'


_quoted = json.dumps


def _media(message: dict[str, Any]) -> Media:
    media = _object(message, "media")
    payload = media.get("payload")
    if type(payload) is not str:
        raise MalformedMessageError("media without payload")
    try:
        sound = binascii.a2b_base64(payload, strict_mode=True)
    except ValueError:
        # Characters outside the alphabet, wrong padding, and text that is not ASCII.
        raise MalformedMessageError("bad base64") from None
    track = media.get("track", "inbound")
    inbound = track == "inbound" or track == "inbound_track"  # noqa: PLR1714 - it may be of a kind no set can hold
    return Media(_sequence(message), _stream_sid(message), inbound, sound)


def _started(message: dict[str, Any]) -> Started:
    start = _object(message, "start")
    parameters = start.get("customParameters", {})
    if type(parameters) is not dict or len(parameters) > MAX_CUSTOM_PARAMETERS:
        raise MalformedMessageError("customParameters of an unlikely kind or number")
    media_format = start.get("mediaFormat", {})
    if type(media_format) is not dict:
        raise MalformedMessageError("mediaFormat is not an object")
    return Started(
        sequence=_sequence(message),
        stream_sid=_text(start, "streamSid"),
        account_sid=_text(start, "accountSid"),
        call_sid=_text(start, "callSid"),
        encoding=str(media_format.get("encoding", ""))[:_MAX_NAME_CHARS],
        sample_rate_hz=_number(media_format.get("sampleRate", 0)),
        channels=_number(media_format.get("channels", 0)),
        parameters={name: value for name, value in parameters.items() if isinstance(value, str)},
    )


def _object(message: dict[str, Any], name: str) -> dict[str, Any]:
    value = message.get(name)
    if type(value) is not dict:
        raise MalformedMessageError(f"no {name}")
    return value


def _text(message: dict[str, Any], name: str) -> str:
    value = message.get(name)
    if type(value) is not str or not value or len(value) > _MAX_NAME_CHARS:
        raise MalformedMessageError(f"no {name}")
    return value


def _stream_sid(message: dict[str, Any]) -> str:
    value = message.get("streamSid")
    return value if type(value) is str else ""


def _sequence(message: dict[str, Any]) -> int | None:
    """Counters come as strings, from some bridges as numbers; absent is allowed."""
    value = message.get("sequenceNumber")
    return None if value is None else _number(value)


def _number(value: object) -> int:
    if type(value) is int and 0 <= value < 10**_MAX_SEQUENCE_CHARS:
        return value
    if type(value) is str and len(value) <= _MAX_SEQUENCE_CHARS and value.isascii() and value.isdigit():
        return int(value)
    raise MalformedMessageError("not a number")
