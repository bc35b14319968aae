"""Twilio's JSON, in and out."""

from __future__ import annotations

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.line import CallerSpoke, KeyPressed, LineStopped, MarkEchoed
from gateway.twilio.messages import (
    Connected,
    Digit,
    Echo,
    Ignored,
    MalformedMessageError,
    Media,
    Started,
    Stopped,
    clear_message,
    mark_message,
    media_message,
    parse,
)
from gateway.twilio.stream_protocol import StreamProtocol, StreamRefusedError

STREAM = "MZ" + "1" * 32


def start_message(**changes: object) -> str:
    start = {
        "accountSid": "AC1",
        "streamSid": STREAM,
        "callSid": "CA1",
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"token": "t"},
    }
    return json.dumps({"event": "start", "sequenceNumber": "1", "streamSid": STREAM, "start": start | changes})


def test_each_kind_of_message_is_understood() -> None:
    assert parse('{"event":"connected","protocol":"Call","version":"1.0.0"}') == Connected()
    assert parse(start_message()) == Started(1, STREAM, "AC1", "CA1", "audio/x-mulaw", 8000, 1, {"token": "t"})
    payload = base64.b64encode(b"abc").decode()
    media = {"track": "inbound", "chunk": "1", "timestamp": "5", "payload": payload}
    message = {"event": "media", "sequenceNumber": "4", "streamSid": STREAM, "media": media}
    assert parse(json.dumps(message)) == Media(4, STREAM, inbound=True, payload=b"abc")
    assert parse(f'{{"event":"mark","streamSid":"{STREAM}","mark":{{"name":"m"}}}}') == Echo(None, STREAM, "m")
    assert parse('{"event":"dtmf","sequenceNumber":5,"dtmf":{"digit":"#"}}') == Digit(5, "", "#")
    assert parse('{"event":"stop","sequenceNumber":"9","stop":{}}') == Stopped(9, "")
    assert parse('{"event":"weather"}') == Ignored()


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), st.lists, max_leaves=8))
def test_whatever_an_event_holds_it_is_understood_or_malformed(value: object) -> None:
    for event in ("media", "start", "mark", "dtmf", "stop", value):
        for name in ("media", "start", "mark", "dtmf", "sequenceNumber", "streamSid"):
            with contextlib.suppress(MalformedMessageError):
                parse(json.dumps({"event": event, name: value}))


@given(st.text(max_size=200))
def test_whatever_text_comes_it_is_understood_or_malformed(text: str) -> None:
    with contextlib.suppress(MalformedMessageError):
        parse(text)


@given(st.binary(max_size=2000), st.text(max_size=40))
def test_what_we_send_is_json_that_says_what_we_mean(payload: bytes, name: str) -> None:
    media = json.loads(media_message(STREAM, payload))
    assert media == {
        "event": "media",
        "streamSid": STREAM,
        "media": {"payload": base64.b64encode(payload).decode()},
    }
    assert json.loads(mark_message(STREAM, name)) == {"event": "mark", "streamSid": STREAM, "mark": {"name": name}}
    assert json.loads(clear_message(STREAM)) == {"event": "clear", "streamSid": STREAM}


def running() -> StreamProtocol:
    protocol = StreamProtocol(max_malformed=3)
    assert isinstance(protocol.text(start_message()), Started)
    return protocol


def event(kind: str, body: object, *, sequence: object = None, stream: str = STREAM) -> str:
    return json.dumps({"event": kind, kind: body, "streamSid": stream, "sequenceNumber": sequence})


def test_a_stream_becomes_line_events() -> None:
    protocol = running()
    assert protocol.text(event("media", {"payload": "AAAA"})) == CallerSpoke(b"\0\0\0")
    assert protocol.text(event("mark", {"name": "7.1"})) == MarkEchoed("7.1")
    assert protocol.text(event("dtmf", {"digit": "*"})) == KeyPressed("*")
    assert protocol.text(event("stop", {})) == LineStopped()
    assert protocol.text(event("media", {"payload": "AAAA"})) is None


def test_duplicates_are_dropped_and_reordering_within_the_window_is_not() -> None:
    protocol = running()
    taken = [
        number
        for number in (2, 4, 3, 3, 4, 100, 99, 100, 20, 101)
        if protocol.text(event("media", {"payload": "AAAA"}, sequence=str(number))) is not None
    ]
    assert taken == [2, 4, 3, 100, 99, 101]
    assert protocol.counts.duplicates == 4
    assert protocol.counts.sequence_gaps == 2


def test_malformed_messages_are_counted_to_the_limit() -> None:
    protocol = running()
    assert protocol.text("nonsense") is None
    protocol.binary()
    with pytest.raises(StreamRefusedError) as refused:
        protocol.text("[]")
    assert refused.value.code == 1008
