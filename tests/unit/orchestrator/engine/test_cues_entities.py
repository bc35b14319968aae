"""Numbers, addresses and spellings: when the assistant asks for one, and whether the caller has said all of it."""

from __future__ import annotations

import pytest

from orchestrator.engine.cues import Entity, load_cues

ASKED = [
    ("en", "Sure. What's your phone number?", Entity.PHONE),
    ("en", "And your phone number?", Entity.PHONE),
    ("en", "What is the best number to reach you on? Take your time.", Entity.PHONE),
    ("en", "Could you spell that for me?", Entity.SPELLING),
    ("en", "Please spell your last name.", Entity.SPELLING),
    ("en", "Can I have your e-mail address, please?", Entity.EMAIL),
    ("en", "May I have your date of birth?", Entity.DATE),
    ("en", "Please tell me the card number.", Entity.CARD),
    ("en", "What's your ZIP code?", Entity.CODE),
    ("en", "What is the delivery address?", Entity.ADDRESS),
    ("de", "Wie lautet Ihre Telefonnummer?", Entity.PHONE),
    ("de", "Können Sie das bitte buchstabieren?", Entity.SPELLING),
    ("de", "Nennen Sie mir bitte Ihr Geburtsdatum.", Entity.DATE),
    ("de", "Und Ihre Postleitzahl?", Entity.CODE),
    ("es", "¿Cuál es su número de teléfono?", Entity.PHONE),
    ("es", "¿Me puede dar su correo electrónico?", Entity.EMAIL),
    ("fr", "Quel est votre numéro de téléphone ?", Entity.PHONE),
    ("fr", "Pouvez-vous épeler votre nom ?", Entity.SPELLING),
    ("it", "Qual è il suo numero di telefono?", Entity.PHONE),
    ("it", "Mi può dire il suo codice fiscale?", Entity.CODE),
    ("pt", "Qual é o seu número de telefone?", Entity.PHONE),
    ("pt", "Pode soletrar, por favor?", Entity.SPELLING),
    ("nl", "Wat is uw telefoonnummer?", Entity.PHONE),
    ("nl", "Mag ik uw postcode?", Entity.CODE),
    ("pl", "Proszę podać numer telefonu.", Entity.PHONE),
    ("pl", "Jaki jest pana adres e-mail?", Entity.EMAIL),
    ("tr", "Telefon numaranızı alabilir miyim?", Entity.PHONE),
    ("tr", "Doğum tarihiniz nedir?", Entity.DATE),
    ("ja", "お電話番号を教えていただけますか。", Entity.PHONE),
    ("ja", "ご住所をお願いいたします。", Entity.ADDRESS),
    ("zh", "请问您的电话号码是多少？", Entity.PHONE),
    ("zh", "请告诉我您的邮箱。", Entity.EMAIL),
    ("hi", "आपका फ़ोन नंबर क्या है?", Entity.PHONE),
    ("hi", "कृपया अपनी जन्मतिथि बताइए।", Entity.DATE),
]

NOT_ASKED = [
    ("en", "How can I help you?"),
    ("en", "I have sent it to your e-mail address."),
    ("en", "Your phone number has been changed. Is there anything else?"),
    ("en", "What would you like to know?"),
    ("en", ""),
    ("de", "Ihre Telefonnummer ist gespeichert."),
    ("de", "Was kann ich für Sie tun?"),
    ("es", "¿En qué puedo ayudarle?"),
    ("fr", "Comment puis-je vous aider ?"),
    ("it", "Come posso aiutarla?"),
    ("pt", "Como posso ajudar?"),
    ("nl", "Waarmee kan ik u helpen?"),
    ("pl", "W czym mogę pomóc?"),
    ("tr", "Size nasıl yardımcı olabilirim?"),
    ("ja", "ご用件をお伺いします。"),
    ("zh", "请问有什么可以帮您？"),
    ("hi", "मैं आपकी क्या मदद करूँ?"),
]

OPEN = [
    ("en", "five five", Entity.PHONE),
    ("en", "seven", Entity.PHONE),
    ("en", "555-12", Entity.PHONE),
    ("en", "it's oh seven nine double four", Entity.PHONE),
    ("en", "4111 1111", Entity.CARD),
    ("en", "A B 1", Entity.CODE),
    ("en", "12", Entity.ADDRESS),
    ("en", "the third of May nineteen", Entity.DATE),
    ("en", "john dot smith at", Entity.EMAIL),
    ("en", "john dot smith at example", Entity.EMAIL),
    ("en", "john.smith@example", Entity.EMAIL),
    ("en", "john smith at example dot", Entity.EMAIL),
    ("en", "John", Entity.EMAIL),
    ("en", "S M", Entity.SPELLING),
    ("en", "seven", None),
    ("en", "john at example", None),
    ("en", "my number is", None),
    ("de", "null eins sieben sechs", Entity.PHONE),
    ("de", "fünfundzwanzig", Entity.PHONE),
    ("de", "hans punkt meier at", Entity.EMAIL),
    ("es", "seis cinco cuatro", Entity.PHONE),
    ("fr", "zéro six quarante-deux", Entity.PHONE),
    ("it", "tre tre otto ventuno", Entity.PHONE),
    ("it", "mario punto rossi chiocciola", Entity.EMAIL),
    ("pt", "nove meia dois", Entity.PHONE),
    ("nl", "nul zes vijfentwintig", Entity.PHONE),
    ("pl", "pięćset dwa", Entity.PHONE),
    ("tr", "sıfır beş otuz iki", Entity.PHONE),
    ("ja", "〇九〇の一二三", Entity.PHONE),
    ("zh", "一三八零", Entity.PHONE),
    ("hi", "नौ आठ सात", Entity.PHONE),
]

WHOLE = [
    ("en", "five five five one two three four", Entity.PHONE),
    ("en", "555 123 4567", Entity.PHONE),
    ("en", "I don't have one", Entity.PHONE),
    ("en", "I don't have one", Entity.EMAIL),
    ("en", "4111 1111 1111 1111", Entity.CARD),
    ("en", "12345", Entity.CODE),
    ("en", "the third of May nineteen eighty", Entity.DATE),
    ("en", "May 3rd, 1980", Entity.DATE),
    ("en", "john dot smith at example dot com", Entity.EMAIL),
    ("en", "john.smith@example.com.", Entity.EMAIL),
    ("en", "S M I T H", Entity.SPELLING),
    ("en", "12 Rose Street, Dublin", Entity.ADDRESS),
    ("en", "why do you need it", None),
    ("de", "null eins sieben sechs zwei drei vier fünf", Entity.PHONE),
    ("de", "hans punkt meier at beispiel punkt de", Entity.EMAIL),
    ("fr", "zéro six quarante-deux dix-huit vingt", Entity.PHONE),
    ("ja", "〇九〇一二三四五六七八", Entity.PHONE),
    ("zh", "一三八零零一二三四五六", Entity.PHONE),
    ("hi", "नौ आठ सात छह पाँच चार तीन दो", Entity.PHONE),
]


@pytest.mark.parametrize(("language", "text", "entity"), ASKED)
def test_the_assistant_asks_for_something_that_is_dictated(language: str, text: str, entity: Entity) -> None:
    cues = load_cues(language)
    assert cues.asks_for_entity(text)
    assert cues.entity_asked(text) is entity


@pytest.mark.parametrize(("language", "text"), NOT_ASKED)
def test_the_assistant_asks_for_nothing_of_the_kind(language: str, text: str) -> None:
    assert not load_cues(language).asks_for_entity(text)


def test_only_the_last_words_of_a_reply_count() -> None:
    long_ago = "What's your phone number? Thank you. I have noted it. It was a pleasure."
    assert not load_cues("en").asks_for_entity(long_ago)


@pytest.mark.parametrize(("language", "text", "entity"), OPEN)
def test_a_dictation_that_has_only_begun(language: str, text: str, entity: Entity | None) -> None:
    assert load_cues(language).is_open_entity(text, entity)


@pytest.mark.parametrize(("language", "text", "entity"), WHOLE)
def test_an_answer_that_is_whole_or_no_dictation_at_all(language: str, text: str, entity: Entity | None) -> None:
    assert not load_cues(language).is_open_entity(text, entity)


def test_silence_is_no_beginning() -> None:
    for entity in (None, *Entity):
        assert not load_cues("en").is_open_entity("", entity)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "my number is"),
        ("en", "My number is 555"),
        ("en", "five five"),
        ("en", "555 123 4567"),
        ("en", "the number on the back is 82."),
        ("en", "it is order 1187"),
        ("en", "82 43"),
        ("de", "die Kundennummer ist 4711"),
        ("fr", "mon code est le 47"),
        ("en", "it's five five five one two three four"),
        ("de", "Meine Nummer ist null eins sieben"),
        ("ja", "電話番号は〇九〇"),
        ("zh", "我的电话是一三八"),
    ],
)
def test_a_number_may_be_dictated_without_having_been_asked_for(language: str, text: str) -> None:
    assert load_cues(language).is_dictating(text)


@pytest.mark.parametrize(
    "text",
    [
        "seven",
        "at ten thirty",
        "a table for two",
        "twenty twenty six",
        "nine one one",
        "it costs 250 euros",
        "it costs 250",
        "hello",
        "",
    ],
)
def test_a_number_in_a_sentence_is_not_dictated(text: str) -> None:
    assert not load_cues("en").is_dictating(text)
