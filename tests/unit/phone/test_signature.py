"""Signatures agree with published vectors and with the SDK's validator."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from toolbox.phone import sign, signed_request

_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


def test_the_stream_vector() -> None:
    assert sign("12345", "wss://voice.example/twilio/media") == "BVN1OP6+F9o3ZBwaE5+XRre3Iyg="


def test_the_webhook_vector() -> None:
    parameters = {
        "To": "+15005550001",
        "From": "+15005550006",
        "CallSid": "CA" + "1" * 32,
        "AccountSid": "AC" + "0" * 32,
    }
    assert sign("12345", "https://voice.example/twilio/voice", parameters) == "Sv3HYO1TNFn2CnehiW8GuAvOjdk="


@given(st.dictionaries(_TEXT.filter(bool), _TEXT, max_size=6))
def test_the_sdk_accepts_every_signed_post(parameters: dict[str, str]) -> None:
    url = "https://voice.example/voice/webhook"
    request = signed_request("secret", url, parameters)
    assert RequestValidator("secret").validate(url, parameters, request.headers["X-Twilio-Signature"])


def test_a_get_is_signed_over_its_query() -> None:
    request = signed_request("secret", "https://voice.example/next?a=b", {"Digits": "1#"}, method="GET")
    assert request.url == "https://voice.example/next?a=b&Digits=1%23"
    assert RequestValidator("secret").validate(request.url, {}, request.headers["X-Twilio-Signature"])


def test_a_signature_can_be_replaced_or_left_out() -> None:
    assert signed_request("s", "https://x.example/", {}, signature="bad").headers["X-Twilio-Signature"] == "bad"
    assert "X-Twilio-Signature" not in signed_request("s", "https://x.example/", {}, signature="").headers
