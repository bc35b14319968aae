"""Where a reply is cut into segments."""

from __future__ import annotations

import pytest

from orchestrator.speech_text import SpeechChunker, SpeechSegment


def segments_of(text: str, language: str = "en") -> list[SpeechSegment]:
    chunker = SpeechChunker(language, numbers="off")
    return chunker.push(text) + chunker.finish()


def spoken(text: str, language: str = "en") -> list[str]:
    return [segment.spoken for segment in segments_of(text, language)]


def test_the_first_clause_comes_as_soon_as_the_blank_behind_it() -> None:
    chunker = SpeechChunker()
    assert chunker.push("It is twenty past four,") == []
    (first,) = chunker.push(" and")
    assert first.spoken == "It is twenty past four,"
    assert first.number == 1


def test_a_clause_too_short_to_begin_with_waits_for_more() -> None:
    assert spoken("Sure, it is four o'clock, I think.") == ["Sure, it is four o'clock,", "I think."]


def test_a_first_clause_without_an_end_is_cut_at_the_last_word_within_sixty_characters() -> None:
    first, *rest = spoken("word " * 30)
    assert first == " ".join(["word"] * 12)
    assert len(first) <= 60
    assert " ".join([first, *rest]) == " ".join(["word"] * 30)


def test_later_segments_are_sentences_of_at_least_twenty_characters() -> None:
    assert spoken("That is a good question. Yes. No. I would say it depends. Ask again later today.") == [
        "That is a good question.",
        "Yes. No. I would say it depends.",
        "Ask again later today.",
    ]


def test_a_long_sentence_is_cut_at_its_last_clause_within_two_hundred_characters() -> None:
    sentence = "We begin here, dear caller. " + "and then we walk a little further, " * 12
    pieces = spoken(sentence)
    assert all(len(piece) <= 200 for piece in pieces)
    assert all(piece.endswith((",", ".")) for piece in pieces)


def test_text_without_any_blank_is_cut_all_the_same() -> None:
    pieces = spoken("a" * 1000)
    assert all(len(piece) <= 200 for piece in pieces)
    assert "".join(pieces) == "a" * 1000


@pytest.mark.parametrize(
    "sentence",
    [
        "Pi is about 3.14 as you know.",
        "Say hello to Dr. Smith and Mrs. Jones for me.",
        "Take a fruit, e.g. An apple, i.e. Something sweet.",
        "The book is by J. R. R. Tolkien of course.",
        "See No. 5 on the list for more.",
        "It was founded in the U.S. Army of old.",
        "It starts at 5 p.m. on Monday.",
        "We met Prof. Miller vs. Mr. Brown there.",
        "Visit example.com or write to me.",
        "It costs $3.50 or 1,000 yen in all.",
        "Well... maybe we should wait a bit.",
    ],
)
def test_a_full_stop_that_ends_no_sentence_cuts_none(sentence: str) -> None:
    lead = "Here is what I know for you. "
    assert spoken(lead + sentence) == [lead.strip(), sentence]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        (
            "We will meet at 5 p.m. Then we eat something nice.",
            ["We will meet at 5 p.m.", "Then we eat something nice."],
        ),
        ('He said "Go away now!" Then he left us all alone.', ['He said "Go away now!"', "Then he left us all alone."]),
        (
            "It costs exactly 55. Then you get a receipt for it.",
            ["It costs exactly 55.", "Then you get a receipt for it."],
        ),
        ("You know that so do I. Then let us begin with it.", ["You know that so do I.", "Then let us begin with it."]),
        (
            "This is the end (really). And this one begins now.",
            ["This is the end (really).", "And this one begins now."],
        ),
    ],
)
def test_a_full_stop_that_ends_a_sentence_does(text: str, pieces: list[str]) -> None:
    assert spoken("Here is what I know for you. " + text)[1:] == pieces


def test_german_ordinals_and_abbreviations_cut_no_sentence() -> None:
    lead = "Das sage ich Ihnen gerne. "
    for sentence in ("Am 3. Mai kommt z. B. der Bus.", "Das kostet ca. Drei Euro bzw. Vier.", "Fragen Sie Hr. Maier."):
        assert spoken(lead + sentence, "de-AT") == [lead.strip(), sentence]


def test_chinese_and_japanese_need_no_blanks() -> None:
    assert spoken("今天天气很好，我们去公园吧。你想什么时候出发？我可以下午三点来接你。", "zh") == [
        "今天天气很好，我们去公园吧。",
        "你想什么时候出发？我可以下午三点来接你。",
    ]
    assert spoken("「行きましょう。」と言いました。次は三時です。", "ja")[0].startswith("「行きましょう。」")


def test_hindi_and_arabic_sentences_are_found() -> None:
    assert len(spoken("आज मौसम बहुत अच्छा है। हम कल पार्क में घूमने जाएँगे।", "hi")) == 2
    assert len(spoken("هل تريد أن نذهب إلى الحديقة؟ سوف نلتقي هناك غدا صباحا.", "ar")) == 2


def test_a_paragraph_or_an_item_of_a_list_ends_a_sentence_that_has_no_full_stop() -> None:
    assert spoken("# Today's weather\n\nIt is sunny and warm\n\nTake a hat with you") == [
        "Today's weather.",
        "It is sunny and warm.",
        "Take a hat with you",
    ]
    assert spoken("Please buy these things:\n- a loaf of bread\n- two bottles of milk\n") == [
        "Please buy these things:",
        "a loaf of bread. two bottles of milk",
    ]


def test_a_line_that_was_only_wrapped_goes_on() -> None:
    assert spoken("We will go on\nwalking for a while") == ["We will go on walking for a while"]


def test_a_reply_of_a_word_is_a_segment() -> None:
    assert spoken("No.") == ["No."]
    assert spoken("好") == ["好"]


def test_a_reply_with_nothing_to_say_is_none() -> None:
    for nothing in ("", "   \n", "👍", "...", "***\n---\n"):
        assert spoken(nothing) == []


def test_finishing_twice_gives_nothing_and_pushing_afterwards_is_a_mistake() -> None:
    chunker = SpeechChunker()
    chunker.push("Yes")
    assert len(chunker.finish()) == 1
    assert chunker.finish() == []
    with pytest.raises(RuntimeError):
        chunker.push("more")


def test_a_model_that_pauses_behind_a_full_stop_is_heard_up_to_there() -> None:
    chunker = SpeechChunker()
    assert chunker.push("Let me look that up.") == []
    (first,) = chunker.settle()
    assert first.spoken == "Let me look that up."
    assert chunker.settle() == []
    assert chunker.push(" Here it is") == []
    assert chunker.settle() == []
    (second,) = chunker.finish()
    assert second.spoken == "Here it is"
    assert (first.written_end, second.written_end) == (20, 31)


def test_a_model_that_pauses_within_a_sentence_is_waited_for() -> None:
    chunker = SpeechChunker()
    chunker.push("It is, as far as I")
    assert chunker.settle() == []


def test_an_unknown_language_is_cut_too() -> None:
    assert spoken("Saluton al vi, kara amiko. Kiel vi fartas hodiau?", "eo") == [
        "Saluton al vi,",
        "kara amiko. Kiel vi fartas hodiau?",
    ]


def test_a_whole_sentence_before_an_unfinished_one_is_settled_alone() -> None:
    chunker = SpeechChunker("en")
    assert chunker.push("Yes. But not") == []
    (first,) = chunker.settle()
    assert (first.spoken, first.written_end) == ("Yes.", 5)
    assert chunker.settle() == []
    assert [segment.spoken for segment in (*chunker.push(" today."), *chunker.finish())] == ["But not today."]
