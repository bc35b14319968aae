"""TwiML is read as Twilio reads it: strict, with the debugger's codes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.twiml.voice_response import Connect as SdkConnect
from twilio.twiml.voice_response import VoiceResponse

from toolbox.phone import TwimlError, parse_twiml
from toolbox.phone.verbs import Connect, Dial, Gather, Hangup, Pause, Play, Record, Redirect, Reject, Say, Stream


def _codes(twiml: str) -> list[int]:
    return [notice.code for notice in parse_twiml(twiml).notices]


def test_what_the_sdk_writes_is_read_without_complaint() -> None:
    response = VoiceResponse()
    connect = SdkConnect(action="/after")
    stream = connect.stream(url="wss://voice.example/voice/stream", name="talk", status_callback="/stream-status")
    stream.parameter(name="token", value="abc")
    response.append(connect)
    response.redirect("/voice/resume/n1")
    document = parse_twiml(str(response))
    assert document.notices == ()
    assert document.verbs == (
        Connect(
            Stream("wss://voice.example/voice/stream", "talk", (("token", "abc"),), "/stream-status"), action="/after"
        ),
        Redirect("/voice/resume/n1"),
    )


def test_every_verb_with_its_attributes() -> None:
    document = parse_twiml(
        """<?xml version="1.0" encoding="UTF-8"?>
        <Response>
          <Say voice="alice" language="en-GB" loop="2">Good <break/> morning</Say>
          <Play loop="0">/hello.wav</Play>
          <Play digits="ww12"/>
          <Pause length="3"/>
          <Record action="/rec" timeout="2" finishOnKey="#" maxLength="60" playBeep="false" trim="do-not-trim"
                  recordingStatusCallback="/recorded" recordingStatusCallbackEvent="completed absent"/>
          <Gather action="/digits" numDigits="4" timeout="7" finishOnKey="*"><Say>Number?</Say><Pause/></Gather>
          <Dial action="/dialled" timeout="20" callerId="+15005550001">
            <Number statusCallback="/leg" statusCallbackEvent="ringing completed">+15005550009</Number>
          </Dial>
          <!-- a comment -->
          <Hangup/>
        </Response>"""
    )
    assert document.notices == ()
    assert document.verbs == (
        Say("Good morning", "alice", "en-GB", 2),
        Play("/hello.wav", loop=1000),
        Play("", "ww12"),
        Pause(3),
        Record(
            "/rec",
            timeout_s=2,
            finish_on_key="#",
            max_length_s=60,
            play_beep=False,
            trim=False,
            recording_status_callback="/recorded",
            recording_status_callback_events=("completed", "absent"),
        ),
        Gather("/digits", timeout_s=7, finish_on_key="*", num_digits=4, prompts=(Say("Number?"), Pause())),
        Dial(
            "+15005550009",
            "/dialled",
            timeout_s=20,
            caller_id="+15005550001",
            status_callback="/leg",
            status_callback_events=("ringing", "completed"),
        ),
        Hangup(),
    )


def test_record_ends_on_any_key_by_default() -> None:
    (record,) = parse_twiml("<Response><Record/></Response>").verbs
    assert record == Record(timeout_s=5, finish_on_key="1234567890*#", max_length_s=3600)


@pytest.mark.parametrize(
    "twiml",
    [
        "",
        "<Response>",
        "<Response></response>",
        "Hello",
        "<Answer/>",
        '<!DOCTYPE x [<!ENTITY a "b">]><Response><Say>&a;</Say></Response>',
        '<?xml version="1.0" encoding="no-such"?><Response/>',
    ],
)
def test_what_is_no_document_ends_the_call_with_12100(twiml: str) -> None:
    with pytest.raises(TwimlError) as refusal:
        parse_twiml(twiml)
    assert refusal.value.notice.code == 12100


@pytest.mark.parametrize(
    "twiml",
    [
        "<Response><Shout>hey</Shout></Response>",
        '<Response><Say volume="11">hey</Say></Response>',
        '<Response><Pause length="long"/></Response>',
        '<Response><Reject reason="tired"/></Response>',
        "<Response>text<Hangup/></Response>",
        '<Response><Stream url="wss://x.example/"/></Response>',
        "<Response><Connect/></Response>",
        '<Response><Connect><Stream url="wss://x.example/s?token=1"/></Connect></Response>',
        '<Response><Connect><Stream url="wss://x.example/s"><Token/></Stream></Connect></Response>',
        "<Response><Dial/></Response>",
        "<Response><Hangup/><Reject/></Response>",
        "<Response><Gather><Dial>+15005550009</Dial></Gather></Response>",
    ],
)
def test_what_does_not_fit_the_schema_is_a_12200(twiml: str) -> None:
    assert _codes(twiml) == [12200]


def test_an_unknown_verb_is_passed_over() -> None:
    document = parse_twiml("<Response><Shout/><Hangup/></Response>")
    assert document.verbs == (Hangup(),)


def test_a_stream_loses_its_query_string() -> None:
    document = parse_twiml('<Response><Connect><Stream url="wss://x.example/s?token=1"/></Connect></Response>')
    assert document.verbs == (Connect(Stream("wss://x.example/s")),)


def test_a_parameter_of_500_characters_is_dropped() -> None:
    def with_value(length: int) -> str:
        value = "v" * length
        return (
            '<Response><Connect><Stream url="wss://x.example/s">'
            f'<Parameter name="name" value="{value}"/></Stream></Connect></Response>'
        )

    kept, dropped = parse_twiml(with_value(495)), parse_twiml(with_value(496))
    assert isinstance(kept.verbs[0], Connect)
    assert isinstance(dropped.verbs[0], Connect)
    assert kept.verbs[0].stream.parameters == (("name", "v" * 495),)
    assert dropped.verbs[0].stream.parameters == ()
    assert [notice.code for notice in dropped.notices] == [12200]


def test_one_stream_per_call() -> None:
    document = parse_twiml(
        '<Response><Connect><Stream url="wss://x.example/a"/><Stream url="wss://x.example/b"/></Connect></Response>'
    )
    assert document.verbs == (Connect(Stream("wss://x.example/a")),)
    assert [notice.code for notice in document.notices] == [12200]


def test_a_rejection_gives_its_reason() -> None:
    assert parse_twiml('<Response><Reject reason="busy"/></Response>').verbs == (Reject("busy"),)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_parser(body: bytes) -> None:
    # Whatever is no document is refused with a TwimlError, and with nothing else.
    with contextlib.suppress(TwimlError):
        parse_twiml(body)
