"""What can be pronounced, and where long texts are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts_service.text import clauses, is_pronounceable, normalised, pieces, speakable

NOTHING = ["", " ", "\n\t", "...", "?!", "—", "😀", "👨‍👩‍👧", "\u200b", "\x00\x07", "#*_", "🇩🇪", "\ufe0f\u20e3"]


@pytest.mark.parametrize("text", NOTHING)
def test_nothing_to_pronounce(text: str) -> None:
    assert not is_pronounceable(text)


@pytest.mark.parametrize("text", ["a", "7", "é", "你", "नमस्ते", "שלום", "Ω", "½", "٣"])
def test_something_to_pronounce(text: str) -> None:
    assert is_pronounceable(text)


def test_pictures_and_control_characters_become_space() -> None:
    assert speakable("Hi 😀 there\x07now").text == "Hi   there now"


def test_signs_that_are_read_stay() -> None:
    text = "20 °C, © 2026, № 5, 5 ㎏, naïve"
    assert speakable(text).text == text


def test_positions_lead_back_to_the_original() -> None:
    original = "co\u00adoperate ✔\ufe0f now"
    said = speakable(original)
    assert said.text == "cooperate   now"
    start = said.text.index("now")
    first, end = said.original_range(start, start + 3)
    assert original[first:end] == "now"
    first, end = said.original_range(0, 9)
    assert original[first:end] == "co\u00adoperate"


def test_joiners_that_shape_letters_stay() -> None:
    assert speakable("می\u200cخواهم").text == "می\u200cخواهم"


def test_a_text_within_the_limit_stays_whole() -> None:
    text = "First. Second, third! Fourth?"
    assert [piece.text for piece in pieces(text, 60)] == [text]


def test_a_longer_one_is_cut_at_a_sentence_end() -> None:
    text = "The first sentence is here. The second sentence, with a comma, follows after it."
    found = [piece.text for piece in pieces(text, 60)]
    assert found == ["The first sentence is here.", " The second sentence, with a comma, follows after it."]


def test_else_at_a_clause_end_and_else_at_a_space() -> None:
    text = "no sentence ends here, but a clause does and then many words follow without any mark at all"
    found = list(pieces(text, 40))
    assert found[0].text == "no sentence ends here,"
    assert found[0].pauses
    assert not found[1].pauses
    assert found[-1].pauses


def test_numbers_and_abbreviations_are_not_cut() -> None:
    text = "It costs 3.14 in all and you should ask Dr. Smith about the rest of it today"
    for limit in range(20, 70):
        joined = "|".join(piece.text for piece in pieces(text, limit))
        assert "3.|14" not in joined
        if "Dr.|" in joined:
            assert not joined.split("Dr.|")[1].startswith("Smith")


def test_a_word_longer_than_the_limit_is_cut_anywhere() -> None:
    assert [len(piece.text) for piece in pieces("x" * 100, 40)] == [40, 40, 20]


def test_clauses_end_at_every_mark_but_not_in_abbreviations_and_numbers() -> None:
    text = "Well, I think that is good; it costs $1,000.50, e.g. on the 5. of May, Dr. Smith! Is it? Certainly."
    assert [piece.text for piece in clauses(text, 100)] == [
        "Well, I think that is good;",
        " it costs $1,000.50,",
        " e.g. on the 5. of May,",
        " Dr. Smith! Is it?",
        " Certainly.",
    ]


@given(st.text(max_size=400) | st.text(alphabet="ab,.!? ", max_size=400), st.integers(20, 100), st.booleans())
def test_pieces_are_the_text_but_for_what_says_nothing(text: str, limit: int, by_clause: bool) -> None:
    covered = 0
    for piece in (clauses if by_clause else pieces)(text, limit):
        assert len(piece.text) <= limit
        assert text[piece.start : piece.start + len(piece.text)] == piece.text
        assert not is_pronounceable(text[covered : piece.start])
        covered = piece.start + len(piece.text)
    assert not is_pronounceable(text[covered:])


@pytest.mark.parametrize("unit", [".", "!)", ",”", ". ", ", ", "a.", "…… ", "x"])
def test_long_runs_of_marks_cost_no_more_than_other_text(unit: str) -> None:
    # Would take hours if it cost the square; the test's timeout is the guard.
    assert sum(1 for _ in clauses(unit * 200_000 + " end", 140)) >= 1


@given(st.text(max_size=200))
def test_every_position_of_a_speakable_text_stands_for_one_of_the_original(text: str) -> None:
    said = speakable(text)
    assert len(said.text) == len(said.origin)
    for index, character in enumerate(said.text):
        start, end = said.original_range(index, index + 1)
        assert end == start + 1
        assert character in (" ", text[start])


@given(st.text(max_size=60))
def test_a_normalised_text_keeps_every_word_and_where_it_stood(original: str) -> None:
    said = normalised(original)
    assert said.text == " ".join(speakable(original).text.split())
    assert len(said.origin) == len(said.text)
    assert list(said.origin) == sorted(set(said.origin))
    for position, character in enumerate(said.text):
        if character != " ":
            assert original[said.origin[position]] == character
    assert normalised(said.text).text == said.text
