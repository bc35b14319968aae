"""Which voice answers a wish."""

from __future__ import annotations

import pytest

from tts_service.espeak.catalogue import list_voices
from tts_service.voices import LanguageUnsupportedError, Voice, VoiceCatalogue, VoiceUnknownError, primary

CATALOGUE = VoiceCatalogue(list_voices(), default_language="en")


@pytest.mark.parametrize(
    ("language", "voice"),
    [
        ("en", "en"),
        ("en-GB", "en"),
        ("en-US", "en-us"),
        ("en-AU", "en"),
        ("EN-us", "en-us"),
        ("de", "de"),
        ("de-AT", "de"),
        ("fr-CA", "fr"),
        ("es-MX", "es-419"),
        ("pt-BR", "pt-br"),
        ("nb-NO", "nb"),
        ("zh-CN", "cmn"),
        ("zh-HK", "yue"),
        ("iw", "he"),
        ("sr-Latn-RS", "sr"),
        ("ca-BA", "ca"),
        ("en_GB", "en"),
    ],
)
def test_a_language_finds_its_best_voice(language: str, voice: str) -> None:
    assert CATALOGUE.for_language(language).name == voice


def test_a_language_nobody_speaks_is_refused() -> None:
    with pytest.raises(LanguageUnsupportedError, match="zu-ZA"):
        CATALOGUE.choose("", "zu-ZA")


def test_an_unknown_voice_is_refused_even_with_a_known_language() -> None:
    with pytest.raises(VoiceUnknownError):
        CATALOGUE.choose("nobody", "en")


def test_a_voice_is_found_whatever_its_case() -> None:
    assert CATALOGUE.choose("EN-US", "").name == "en-us"


def test_a_named_voice_must_speak_the_named_language() -> None:
    assert CATALOGUE.choose("de", "de-CH").name == "de"
    with pytest.raises(LanguageUnsupportedError, match="does not speak"):
        CATALOGUE.choose("de", "fr")


def test_nothing_named_means_the_default() -> None:
    assert CATALOGUE.choose("", "").name == "en"
    american = VoiceCatalogue(list_voices(), default_language="en", default_voice="en-us")
    assert american.choose("", "").name == "en-us"
    assert american.choose("", "en").name == "en-us"
    assert american.choose("", "en-GB").name == "en"


def test_a_segment_keeps_the_replys_voice_unless_its_language_needs_another() -> None:
    reply = CATALOGUE.named("en-us")
    assert CATALOGUE.choose_segment(reply, "", "").name == "en-us"
    assert CATALOGUE.choose_segment(reply, "", "en-GB").name == "en-us"
    assert CATALOGUE.choose_segment(reply, "", "de").name == "de"
    assert CATALOGUE.choose_segment(reply, "fr", "").name == "fr"


def test_a_regional_voice_serves_its_language_for_want_of_a_general_one() -> None:
    catalogue = VoiceCatalogue([Voice("x", (("es-419", 1),), "X")], default_language="es")
    assert catalogue.default.name == "x"


def test_languages_are_listed_once_the_defaults_first() -> None:
    languages = CATALOGUE.languages
    assert languages[0] in {"en", "en-GB"}
    assert len(set(languages)) == len(languages)


def test_the_primary_language_of_a_tag() -> None:
    assert [primary(tag) for tag in ("en-GB", "zh-HK", "sr-Latn-RS", "iw", "en-US-x-nyc")] == [
        "en",
        "yue",
        "sr",
        "he",
        "en",
    ]
