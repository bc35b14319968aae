"""The word lists themselves: complete, and not at odds with one another."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

import pytest

from orchestrator.engine.cues import Entity, Phrases, load_cues, words_of

LANGUAGES = ["en", "de", "es", "fr", "it", "pt", "nl", "pl", "tr", "ja", "zh", "hi"]
LISTS = [
    "incomplete",
    "stranded",
    "complete",
    "backchannels",
    "interruptions",
    "interruptions_alone",
    "elisions",
    "dictation",
    "numbered",
]
MAY_BE_EMPTY = {"stranded", "elisions"}


def table_of(language: str) -> dict[str, Any]:
    source = resources.files("orchestrator.engine.cues") / f"{language}.toml"
    return tomllib.loads(source.read_text(encoding="utf-8"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_list(language: str) -> None:
    table = table_of(language)
    assert list(table) == [*LISTS, "numbers", "email", "entities"]
    assert list(table["numbers"]) == ["ones", "larger", "links"]
    assert list(table["entities"]) == ["asking", *(entity.value for entity in Entity)]
    assert all(table[name] for name in LISTS if name not in MAY_BE_EMPTY)
    assert len(table["numbers"]["ones"]) >= 9
    assert all(table["entities"].values())
    assert all(table["email"].values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_phrase_is_listed_twice_or_is_no_phrase(language: str) -> None:
    table = table_of(language)
    for name in LISTS:
        assert len(set(table[name])) == len(table[name])
        assert all(words_of(text) for text in table[name])


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_interruption_is_neither_a_sign_of_listening_nor_unfinished(language: str) -> None:
    cues, table = load_cues(language), table_of(language)
    for text in table["interruptions"]:
        assert cues.interrupts(text), text
        assert not cues.is_backchannel(text), text
        assert not cues.looks_unfinished(text), text
    for text in table["interruptions_alone"]:
        assert cues.interrupts(text), text
        assert not cues.is_backchannel(text), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sign_of_listening_never_interrupts(language: str) -> None:
    cues = load_cues(language)
    for text in table_of(language)["backchannels"]:
        assert cues.is_backchannel(text), text
        assert not cues.interrupts(text), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_exception_is_one(language: str) -> None:
    cues, table = load_cues(language), table_of(language)
    listed = Phrases.of([*table["incomplete"], *table["stranded"]])
    for text in table["complete"]:
        assert not cues.looks_unfinished(text), text
        words = words_of(text)
        assert listed.end(words) or cues.numbers.digits_of(words[-1]), text
    for text in table["incomplete"]:
        assert cues.looks_unfinished(text), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_single_digits_are_answers_and_two_are_the_beginning_of_a_number(language: str) -> None:
    cues = load_cues(language)
    for word in table_of(language)["numbers"]["ones"]:
        assert cues.numbers.digits_of(words_of(word)[0]) == 1, word
        assert cues.is_open_entity(word), word


def test_a_region_or_script_does_not_matter_and_an_unknown_language_is_english() -> None:
    assert load_cues("de-AT") == load_cues("de") == load_cues("DE_ch")
    assert load_cues("zh-Hant-TW") == load_cues("zh")
    assert load_cues("xx") is load_cues("en")
    assert load_cues("../../etc") is load_cues("en")
    assert load_cues("") is load_cues("en")
