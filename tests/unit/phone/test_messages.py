"""The JSON of Media Streams has Twilio's strings and Twilio's strictness."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolbox.phone import messages


def test_start_has_string_counters_and_integer_formats() -> None:
    text = messages.start(sequence=1, stream_sid="MZ1", account_sid="AC1", call_sid="CA1", parameters={"token": "t"})
    assert json.loads(text) == {
        "event": "start",
        "sequenceNumber": "1",
        "streamSid": "MZ1",
        "start": {
            "accountSid": "AC1",
            "streamSid": "MZ1",
            "callSid": "CA1",
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {"token": "t"},
        },
    }


def test_connected_names_no_stream() -> None:
    assert json.loads(messages.CONNECTED) == {"event": "connected", "protocol": "Call", "version": "1.0.0"}


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.binary(max_size=400))
def test_media_has_strings_throughout(sequence: int, chunk: int, payload: bytes) -> None:
    text = messages.media(sequence=sequence, stream_sid="MZ1", chunk=chunk, timestamp_ms=chunk * 20, payload=payload)
    assert json.loads(text) == {
        "event": "media",
        "sequenceNumber": str(sequence),
        "streamSid": "MZ1",
        "media": {
            "track": "inbound",
            "chunk": str(chunk),
            "timestamp": str(chunk * 20),
            "payload": base64.b64encode(payload).decode(),
        },
    }


@given(st.text(max_size=30))
def test_mark_echoes_any_name(name: str) -> None:
    assert json.loads(messages.mark(sequence=7, stream_sid="MZ1", name=name))["mark"] == {"name": name}


def test_dtmf_names_the_inbound_track_and_stop_the_call() -> None:
    assert json.loads(messages.dtmf(sequence=3, stream_sid="MZ1", digit="#"))["dtmf"] == {
        "track": "inbound_track",
        "digit": "#",
    }
    stop = json.loads(messages.stop(sequence=9, stream_sid="MZ1", account_sid="AC1", call_sid="CA1"))
    assert stop["stop"] == {"accountSid": "AC1", "callSid": "CA1"}
    assert stop["sequenceNumber"] == "9"


@given(st.binary(max_size=400))
def test_agent_media_is_read_whatever_its_length(payload: bytes) -> None:
    text = json.dumps({"event": "media", "streamSid": "MZ1", "media": {"payload": base64.b64encode(payload).decode()}})
    assert messages.parse(text, "MZ1") == messages.AgentMedia(payload)


def test_agent_mark_and_clear_are_read() -> None:
    mark = '{"event":"mark","streamSid":"MZ1","mark":{"name":"reply-1"}}'
    assert messages.parse(mark, "MZ1") == messages.AgentMark("reply-1")
    assert messages.parse('{"event":"clear","streamSid":"MZ1"}', "MZ1") == messages.AgentClear()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "JSON"),
        ("[" * 100_000, "JSON"),
        ("[]", "object"),
        ("null", "object"),
        ('{"event":"hello","streamSid":"MZ1"}', "unsupported event"),
        ('{"event":"clear"}', "streamSid"),
        ('{"event":"clear","streamSid":"MZ2"}', "streamSid"),
        ('{"event":"clear","streamSid":"MZ1","extra":1}', "unexpected field 'extra'"),
        ('{"event":"mark","streamSid":"MZ1"}', "lacks its object"),
        ('{"event":"mark","streamSid":"MZ1","mark":{"name":3}}', "name"),
        ('{"event":"media","streamSid":"MZ1","media":{}}', "payload"),
        ('{"event":"media","streamSid":"MZ1","media":{"payload":"?"}}', "base64"),
        ('{"event":"media","streamSid":"MZ1","media":{"payload":"","track":"outbound"}}', "unexpected field 'track'"),
    ],
)
def test_what_twilio_would_call_invalid_is_invalid(text: str, complaint: str) -> None:
    with pytest.raises(messages.InvalidMessageError, match=complaint):
        messages.parse(text, "MZ1")
