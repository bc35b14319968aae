"""What logs must not hold is masked; what they need stays readable."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.redaction import mask_numbers, mask_secrets, masked

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJjYWxsIjoiQ0ExIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "text",
    [
        "+15005550006",
        "+1 500 555 0006",
        "+1 (500) 555-0006",
        "+49.30.901820",
        "15005550006",
        "from=+15005550006,",
        "<+442071838750>",
        "sip:+15005550006@host",
    ],
)
def test_telephone_numbers_are_masked_wherever_they_stand(text: str) -> None:
    shown = mask_numbers(f"call {text} now")
    assert "[number]" in shown
    assert not any(run in shown for run in ("0006", "9018", "8750"))


@pytest.mark.parametrize(
    "text",
    [
        "CA0123456789abcdef0123456789abcdef",
        "took 123.4567890123 ms",
        "2026-11-23T21:28:57.772820Z",
        "127.0.0.1:50051",
        "trace 4bf92f3577b34da6a3ce929d0e0e4736",
        "port 50052, 16000 Hz, 480000 samples",
        "x-1234567890",
    ],
)
def test_ids_times_and_addresses_stay_readable(text: str) -> None:
    assert mask_numbers(mask_secrets(text)) == text


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Authorization: Bearer abcdef.ghijkl", "abcdef"),
        ("authorization=Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        (f"token {JWT} refused", "eyJjYWxs"),
        ("using sk-proj-abcdefghijk", "abcdefghijk"),
        ("https://user:hunter22@host/path", "hunter22"),
        ("wss://host/stream?token=abcdefgh&x=1", "abcdefgh"),
        ('{"auth_token": "abcdefgh"}', "abcdefgh"),
        ("api_key='abcdefgh'", "abcdefgh"),
        ("POST /voice/resume/Zm9vYmFy HTTP/1.1", "Zm9vYmFy"),
    ],
)
def test_tokens_are_masked_wherever_they_stand(text: str, secret: str) -> None:
    shown = mask_secrets(text)
    assert secret not in shown
    assert "[secret]" in shown


@pytest.mark.parametrize("key", ["token", "auth_token", "Authorization", "x-twilio-signature", "api_key", "password"])
@pytest.mark.parametrize("show_private", [False, True])
def test_keys_of_tokens_are_masked_whatever_is_shown(key: str, show_private: bool) -> None:
    assert masked(key, "abc", show_private=show_private) == "[secret]"


@pytest.mark.parametrize("key", ["transcript", "text", "heard", "said", "Prompt"])
def test_speech_is_masked_unless_it_may_be_shown(key: str) -> None:
    assert masked(key, "my secret wish", show_private=False) == f"[{key.lower()}, 14 long]"
    assert masked(key, "my secret wish", show_private=True) == "my secret wish"


@pytest.mark.parametrize("key", ["caller", "dialled", "from", "to", "number"])
@pytest.mark.parametrize("show_private", [False, True])
def test_keys_of_numbers_are_masked_even_as_integers(key: str, show_private: bool) -> None:
    assert masked(key, "+15005550006", show_private=show_private) == "[number]"
    assert masked(key, 15005550006, show_private=show_private) == "[number]"


def test_shown_speech_still_hides_numbers_and_tokens_in_it() -> None:
    shown = masked("text", f"call +15005550006 with {JWT}", show_private=True)
    assert shown == "call [number] with [secret]"


def test_counts_under_the_name_of_a_text_stay() -> None:
    assert masked("words", 12, show_private=False) == 12
    assert masked("output_tokens", 12, show_private=False) == 12
    assert masked("tokens", ["abc"], show_private=False) == "[secret]"
    assert masked("n", None, show_private=False) is None


def test_nested_values_are_masked_too() -> None:
    value = {"headers": [{"Authorization": "x"}], "body": {"caller": "anna", "note": "ring +15005550006"}}
    assert masked("request", value, show_private=False) == {
        "headers": [{"Authorization": "[secret]"}],
        "body": {"caller": "[number]", "note": "ring [number]"},
    }


def test_sound_is_never_written_out() -> None:
    assert masked("payload", b"\xff" * 160, show_private=True) == "[160 bytes]"


def test_what_nests_without_end_is_cut() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert "[too deep]" in json.dumps(masked("x", endless, show_private=False))


class Complaint:
    def __str__(self) -> str:
        return "refused +15005550006"


def test_objects_are_masked_as_they_would_print() -> None:
    assert masked("error", Complaint(), show_private=False) == "refused [number]"


@given(st.from_regex(r"\+[1-9][0-9]{7,13}", fullmatch=True), st.text(max_size=20), st.text(max_size=20))
def test_no_e164_number_survives_between_other_words(number: str, before: str, after: str) -> None:
    assert number not in mask_numbers(f"{before} {number} {after}")
