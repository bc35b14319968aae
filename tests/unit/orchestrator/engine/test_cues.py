"""What words tell about turn-taking."""

from __future__ import annotations

import pytest

from orchestrator.engine import load_cues, words_of

EN, DE = load_cues("en"), load_cues("de-AT")


@pytest.mark.parametrize("text", ["I would like to", "what is seven plus", "well, the", "tomorrow, ", "and…", "um"])
def test_unfinished(text: str) -> None:
    assert EN.looks_unfinished(text)


@pytest.mark.parametrize("text", ["what time is it", "Tell me a story.", "goodbye", "seven", "tomato"])
def test_finished(text: str) -> None:
    assert not EN.looks_unfinished(text)


@pytest.mark.parametrize("text", ["uh-huh", "Yeah, okay.", "I see", "", "mm hmm right"])
def test_signs_of_listening(text: str) -> None:
    assert EN.is_backchannel(text)


@pytest.mark.parametrize("text", ["okay stop", "yes please tell me", "no", "I see a dog"])
def test_words_that_ask_for_the_floor(text: str) -> None:
    assert not EN.is_backchannel(text)


def test_interruptions_come_first_in_what_is_said() -> None:
    assert EN.interrupts("Hold on, please")
    assert EN.interrupts("no")
    assert not EN.interrupts("that is a no")
    assert not EN.interrupts("know what")


def test_every_language_has_its_own_and_others_fall_back_to_english() -> None:
    assert DE.looks_unfinished("ich möchte mit")
    assert DE.interrupts("Stopp!")
    assert load_cues("xx") == EN
    assert load_cues("../../etc") == EN


def test_words_are_compared_without_case_and_punctuation() -> None:
    assert words_of("I’m here, uh-huh!") == ("i'm", "here", "uh-huh")
