"""What the agent says of itself."""

from __future__ import annotations

import dataclasses
import tomllib
from importlib import resources

import pytest

from orchestrator.languages import SpokenPrompts, prompts_of, spoken_languages

LANGUAGES = ["en", "de", "es", "fr", "it", "pt", "nl", "pl", "tr", "ja", "zh", "hi"]


def test_every_language_is_spoken() -> None:
    assert spoken_languages() == set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_prompt_is_there_and_can_be_spoken_as_it_is(language: str) -> None:
    source = resources.files("orchestrator.languages") / "prompts" / f"{language}.toml"
    table = tomllib.loads(source.read_text(encoding="utf-8"))
    assert list(table) == [field.name for field in dataclasses.fields(SpokenPrompts)]
    for text in prompts_of(language).texts:
        assert text == text.strip()
        assert text.endswith((".", "!", "?", "。", "！", "？", "।"))
        assert not set(text) & set("*_#<>[]{}()/\\\n")


@pytest.mark.parametrize("language", LANGUAGES)
def test_fillers_are_short_and_varied(language: str) -> None:
    fillers = prompts_of(language).fillers
    assert 3 <= len(set(fillers)) == len(fillers) <= 5
    assert all(len(filler) <= 20 for filler in fillers)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_prompts_say_the_same(language: str) -> None:
    texts = prompts_of(language).texts
    assert len(set(texts)) == len(texts)


def test_a_region_does_not_matter_and_an_unknown_language_is_english() -> None:
    assert prompts_of("de-AT") is not prompts_of("en")
    assert prompts_of("de_CH") == prompts_of("DE")
    assert prompts_of("xx") == prompts_of("../en") == prompts_of("") == prompts_of("en")


def test_settings_replace_single_texts() -> None:
    prompts = prompts_of("de").with_overrides(
        {"greeting": "Praxis Weiß, guten Tag!", "apology": "", "goodbye": None, "fillers": ["Äh."]}
    )
    assert prompts.greeting == "Praxis Weiß, guten Tag!"
    assert prompts.fillers == ("Äh.",)
    assert prompts.apology == prompts_of("de").apology
    assert prompts.goodbye == prompts_of("de").goodbye
    assert "Äh." in prompts.texts


def test_a_prompt_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"'greetings'.*greeting"):
        prompts_of("en").with_overrides({"greetings": "Hi"})
