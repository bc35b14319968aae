"""The agent's own words, heard on the caller's line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.cues import overlap, words_of

PLAYED = words_of("Of course. Your appointment is on Monday the seventh at half past nine, is there anything else?")


@pytest.mark.parametrize(
    "heard",
    [
        "your appointment is on Monday",
        "you're appointment is on Monday",  # a slip
        "is there any thing else",  # one word as two
        "the seventh at halfpast nine",  # two words as one
        "appointment is on Mond",  # cut off
        "of course your appointment",
    ],
)
def test_an_echo_is_recognised_through_a_recognisers_slips(heard: str) -> None:
    assert overlap(words_of(heard), PLAYED) >= 0.8


@pytest.mark.parametrize(
    "heard",
    [
        "no, stop that",
        "I wanted to ask about Tuesday",
        "not on Monday, please",
        "wait a second",
        "nine past half",
        "what about Tuesday at ten",
    ],
)
def test_what_the_caller_says_is_no_echo(heard: str) -> None:
    assert overlap(words_of(heard), PLAYED) < 0.8


def test_small_words_from_all_over_a_long_sentence_are_no_echo() -> None:
    played = words_of("here is what I have found for you, and it takes a moment to tell. The first part is about the")
    assert overlap(words_of("that is"), played) < 0.8
    assert overlap(words_of("it is"), played) < 0.8
    assert overlap(words_of("the first part is"), played) == 1.0


def test_an_echo_in_a_script_without_spaces() -> None:
    played = words_of("ご予約は月曜日の九時でよろしいでしょうか。")
    assert overlap(words_of("月曜日の九時で"), played) == 1.0
    assert overlap(words_of("いいえ、火曜です"), played) < 0.8


def test_nothing_heard_or_nothing_played_is_no_echo() -> None:
    assert overlap((), PLAYED) == 0.0
    assert overlap(("hello",), ()) == 0.0


def test_other_numbers_are_other_words() -> None:
    assert overlap(words_of("1235"), words_of("1234")) == 0.0


WORDS = st.lists(
    st.sampled_from(["the", "seven", "at", "monday", "appointment", "any", "thing", "anything", "予", "9"]), max_size=12
)


@given(WORDS, WORDS)
def test_it_is_a_share(heard: list[str], played: list[str]) -> None:
    assert 0.0 <= overlap(heard, played) <= 1.0


@given(WORDS.filter(bool), WORDS, WORDS)
def test_every_stretch_of_what_was_played_is_wholly_an_echo(
    heard: list[str], before: list[str], after: list[str]
) -> None:
    assert overlap(heard, before + heard + after) == 1.0
