"""The language of a reply, by which its voice is chosen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.languages import ReplyLanguages, language_of, prompts_of, spoken_languages

REPLIES = [
    ("en", "I'm sorry, that is not possible on Monday."),
    ("de", "Es tut mir leid, das ist am Montag nicht möglich."),
    ("es", "Lo siento, eso no es posible el lunes por la mañana."),
    ("fr", "Je suis désolé, ce n'est pas possible le lundi."),
    ("it", "Mi dispiace, non è possibile il lunedì con la dottoressa."),
    ("pt", "Desculpe, isso não é possível na segunda-feira."),
    ("nl", "Het spijt me, dat is niet mogelijk op maandag."),
    ("pl", "Przykro mi, ale to nie jest możliwe w poniedziałek."),
    ("tr", "Üzgünüm ama bu pazartesi için çok geç."),
    ("ja", "申し訳ございません。月曜日は予約できません。"),
    ("zh", "很抱歉，星期一不行。"),
    ("hi", "माफ़ कीजिए, सोमवार को यह संभव नहीं है।"),
]
ALL = [language for language, _ in REPLIES]


@pytest.mark.parametrize(("language", "reply"), REPLIES)
def test_a_plain_sentence_is_known_among_two(language: str, reply: str) -> None:
    for other in ALL:
        if other != language:
            assert language_of(reply, [other, language]) in {language, None}
    assert sum(language_of(reply, [other, language]) == language for other in ALL if other != language) >= 9


@pytest.mark.parametrize("language", sorted(spoken_languages()))
def test_no_prompt_of_ours_is_taken_for_another_language(language: str) -> None:
    texts = prompts_of(language).texts
    assert {language_of(text, ALL) for text in texts} <= {language, None}
    guesses = [language_of(text, [language, "pl" if language == "en" else "en"]) for text in texts]
    assert set(guesses) <= {language, None}
    assert guesses.count(language) > len(texts) / 2


def test_the_candidates_region_is_kept() -> None:
    assert language_of("I think that it is on the third floor.", ["de-AT", "en-GB"]) == "en-GB"


@pytest.mark.parametrize("text", ["", "12:30", "…", "Okay.", "Müller", "5 €", "Berlin"])
def test_what_could_be_any_language_is_none(text: str) -> None:
    assert language_of(text, ["en", "de"]) is None


def test_japanese_is_told_from_chinese_by_its_kana() -> None:
    assert language_of("東京駅です", ["zh", "ja"]) == "ja"
    assert language_of("东京车站", ["ja", "zh"]) == "zh"
    assert language_of("東京駅", ["ja", "en"]) == "ja"


def test_a_foreign_name_does_not_make_a_foreign_reply() -> None:
    assert language_of("JR", ["ja", "en"]) is None
    assert language_of("次の電車はJRのNarita Expressです。", ["en", "ja"]) == "ja"


def test_a_language_that_is_no_candidate_is_none() -> None:
    assert language_of("Это невозможно.", ["en", "de"]) is None
    assert language_of("これは無理です。", ["en", "de"]) is None


def test_a_candidate_without_word_lists_cannot_be_ruled_out() -> None:
    assert language_of("I think that it is on the third floor.", ["en", "sv"]) is None


def test_a_classifier_decides_what_function_words_leave_open() -> None:
    replies = ReplyLanguages(["en-GB", "de"], lambda text: ("de", 0.95 if "Termin" in text else 0.6))
    assert replies.of("Termin Montag neun Uhr.") == "de"
    assert replies.of("Schadow, Rauch.") is None
    assert replies.of("This is for the two of you.") == "en-GB"


def test_without_a_choice_in_its_script_no_classifier_is_loaded() -> None:
    replies = ReplyLanguages.load(["en", "ja"])
    assert replies.of("See you on Monday.") == "en"
    assert replies.of("月曜日にお待ちしております。") == "ja"


def test_the_kept_classifier_tells_what_words_do_not() -> None:
    pytest.importorskip("py3langid")
    replies = ReplyLanguages.load(["en-GB", "de"])
    assert replies.of("Sprechzeiten: Montag bis Freitag, neun Uhr.") == "de"
    assert replies.of("Opening hours: Monday through Friday, nine o'clock.") == "en-GB"
    assert replies.of("12:30") is None
    assert ReplyLanguages.load(["en", "xx"]).of("Opening hours Monday") is None


@given(st.text(max_size=80), st.lists(st.sampled_from(ALL), max_size=4, unique=True))
def test_the_answer_is_a_candidate_or_none(text: str, candidates: list[str]) -> None:
    assert language_of(text, candidates) in {*candidates, None}
