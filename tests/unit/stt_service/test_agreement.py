"""Which words of a growing hypothesis are promised, and how languages are named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_service.engines.agreement import LocalAgreement
from stt_service.engines.interface import LanguageUnsupportedError
from stt_service.engines.languages import primary, understood

WORDS = st.lists(st.sampled_from(["what", "is", "seven", "plus", "five"]), max_size=6)


def test_a_word_is_stable_once_two_hypotheses_in_a_row_begin_with_it() -> None:
    agreement = LocalAgreement()
    assert agreement.add(["what"]) == ("", "what")
    assert agreement.add(["what", "is"]) == ("what", " is")
    assert agreement.add(["what", "is", "seven"]) == ("what is", " seven")


def test_a_hypothesis_that_contradicts_what_is_stable_does_not_take_it_back() -> None:
    agreement = LocalAgreement()
    agreement.add(["what", "is"])
    assert agreement.add(["what", "is"]) == ("what is", "")
    assert agreement.add(["how", "much"]) == ("what is", "")
    assert agreement.add(["how", "much", "is"]) == ("what is", " is")


@given(st.lists(WORDS, max_size=8))
def test_stable_text_only_ever_grows(hypotheses: list[list[str]]) -> None:
    agreement = LocalAgreement()
    before = ""
    for words in hypotheses:
        stable, unstable = agreement.add(words)
        assert stable.startswith(before)
        assert not unstable.startswith(" ") or stable
        before = stable


@pytest.mark.parametrize(
    ("tag", "language"), [("en-GB", "en"), ("EN", "en"), ("zh_Hant_HK", "zh"), ("nb-NO", "no"), ("iw", "he")]
)
def test_the_language_of_a_tag_is_known_whatever_follows_it(tag: str, language: str) -> None:
    assert primary(tag) == language


def test_languages_are_narrowed_to_those_that_are_known() -> None:
    assert understood(["fr", "en-GB", "de"], ["en", "de"], detect=True) == ("en-GB", "de")
    assert understood([], ["en"], detect=True) == ()
    with pytest.raises(LanguageUnsupportedError, match="fr"):
        understood(["fr", "en"], ["en"], detect=False)
