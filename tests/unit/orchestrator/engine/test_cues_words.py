"""Words, in scripts that make it hard."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.cues import words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I’m here, uh-huh!", ("i'm", "here", "uh-huh")),
        ("J’ai l'air d'être là.", ("j'ai", "l'air", "d'être", "là")),
        ("हिन्दी में बात कीजिए।", ("हिन्दी", "में", "बात", "कीजिए")),
        ("क्\u200dया", ("क्या",)),
        ("はい、そうです。", ("は", "い", "そ", "う", "で", "す")),
        ("カード番号は１２３", ("カ", "ー", "ド", "番", "号", "は", "123")),
        ("我的email是a1@b", ("我", "的", "email", "是", "a1", "b")),
        ("HAYIR, İyi", ("hayir", "iyi")),
        ("hayır, iyi", ("hayir", "iyi")),
        ("heißt", ("heisst",)),
        ("한국어 괜찮아요", ("한국어", "괜찮아요")),
        ("555-1234 3.5", ("555-1234", "3", "5")),
        ("…", ()),
        ("", ()),
    ],
)
def test_words_are_compared_without_case_punctuation_and_spelling_of_the_same(
    text: str, words: tuple[str, ...]
) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize("text", ["Où êtes-vous né ?", "Çok güzel, ığdır", "が ぱ", "हाँ ज़रूर", "Łódź"])
def test_composed_and_decomposed_text_is_the_same(text: str) -> None:
    assert words_of(unicodedata.normalize("NFD", text)) == words_of(unicodedata.normalize("NFC", text))


@given(st.text(max_size=60))
def test_any_text_has_words_that_are_words_themselves(text: str) -> None:
    for word in words_of(text):
        assert word
        assert not any(character.isspace() for character in word)
