"""Which language the call is in, as transcripts come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.languages import LanguageChoice, Recognition, same_language

SURE, UNSURE = 0.9, 0.3


def test_until_two_utterances_agree_each_one_counts() -> None:
    choice = LanguageChoice(["en", "de", "fr"])
    assert (choice.language, choice.settled) == ("en", False)
    assert choice.hear("de", SURE) == "de"
    assert choice.hear("fr", SURE) == "fr"
    assert not choice.settled
    assert choice.hear("de", SURE) == "de"
    assert choice.settled


def test_then_one_other_utterance_moves_nothing() -> None:
    choice = LanguageChoice(["en", "de"], settled=True)
    assert choice.hear("de", SURE) == "en"
    assert choice.hear("en", SURE) == "en"
    assert choice.hear("de", SURE) == "en"


def test_two_confident_others_in_a_row_switch_it() -> None:
    choice = LanguageChoice(["en", "de"], settled=True)
    choice.hear("de", SURE)
    assert choice.hear("de", SURE) == "de"
    assert choice.settled


def test_two_others_that_disagree_or_are_parted_do_not() -> None:
    choice = LanguageChoice(["en", "de", "fr"], settled=True)
    choice.hear("de", SURE)
    assert choice.hear("fr", SURE) == "en"
    choice = LanguageChoice(["en", "de"], settled=True)
    choice.hear("de", SURE)
    choice.hear("de", UNSURE)
    assert choice.hear("de", SURE) == "en"


def test_it_may_switch_back() -> None:
    choice = LanguageChoice(["en", "de"], settled=True)
    heard = [choice.hear(language, SURE) for language in ("de", "de", "en", "en")]
    assert heard == ["en", "de", "de", "en"]


@pytest.mark.parametrize(
    ("language", "confidence"), [("es", SURE), ("de", UNSURE), ("de", 0.0), ("", SURE), ("de", float("nan"))]
)
def test_what_is_not_allowed_or_not_sure_is_ignored(language: str, confidence: float) -> None:
    choice = LanguageChoice(["en", "de"])
    for _ in range(4):
        assert choice.hear(language, confidence) == "en"


def test_the_region_asked_for_is_kept() -> None:
    choice = LanguageChoice(["en-GB", "pt-BR", "pt-PT"])
    assert choice.hear("en", SURE) == "en-GB"
    assert choice.hear("en-US", SURE) == "en-GB"
    choice = LanguageChoice(["en-GB", "pt-BR", "pt-PT"])
    assert choice.hear("pt", SURE) == "pt-BR"
    assert choice.hear("pt-PT", SURE) == "pt-PT"
    assert choice.hear("pt", SURE) == "pt-PT"


def test_the_recogniser_is_told_the_likeliest_first() -> None:
    choice = LanguageChoice(["en", "de", "fr"], start="de")
    assert choice.recognition == Recognition(("de", "en", "fr"), detect=True)
    choice.hear("fr", SURE)
    assert choice.recognition.languages[0] == "fr"


def test_with_one_language_there_is_nothing_to_detect() -> None:
    choice = LanguageChoice(["en-GB"])
    assert choice.settled
    assert choice.recognition == Recognition(("en-GB",), detect=False)
    assert choice.hear("de", SURE) == "en-GB"


def test_a_call_needs_a_language() -> None:
    with pytest.raises(ValueError, match="language"):
        LanguageChoice([])


TAGS = ["en-GB", "de", "fr", "pt-BR"]
HEARD = st.lists(
    st.tuples(st.sampled_from(["en", "de", "fr", "pt", "es", "", "en-US"]), st.floats(0, 1, allow_nan=False)),
    max_size=30,
)


@given(st.lists(st.sampled_from(TAGS), min_size=1, max_size=4, unique=True), HEARD)
def test_only_allowed_languages_are_ever_chosen_or_asked_for(
    allowed: list[str], heard: list[tuple[str, float]]
) -> None:
    choice = LanguageChoice(allowed)
    for language, confidence in heard:
        assert choice.hear(language, confidence) == choice.language
        assert choice.language in allowed
        assert sorted(choice.recognition.languages) == sorted(allowed)
        assert choice.recognition.languages[0] == choice.language


@given(HEARD)
def test_once_settled_it_moves_only_after_two_confident_others_in_a_row(heard: list[tuple[str, float]]) -> None:
    choice = LanguageChoice(TAGS)
    before: tuple[str, float] = ("", 0.0)
    for language, confidence in heard:
        settled, was = choice.settled, choice.language
        now = choice.hear(language, confidence)
        assert choice.settled or not settled
        if settled and now != was:
            assert same_language(before[0], now)
            assert same_language(language, now)
            assert min(before[1], confidence) >= 0.6
        before = language, confidence


@given(HEARD, st.sampled_from(TAGS))
def test_whatever_came_before_two_confident_utterances_decide(heard: list[tuple[str, float]], tag: str) -> None:
    choice = LanguageChoice(TAGS)
    for language, confidence in heard:
        choice.hear(language, confidence)
    choice.hear(tag, SURE)
    assert choice.hear(tag, SURE) == tag
