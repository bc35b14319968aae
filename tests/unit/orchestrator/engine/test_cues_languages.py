"""What callers say, language by language, as Whisper writes it and as a recogniser without punctuation does."""

from __future__ import annotations

import pytest

from orchestrator.engine.cues import load_cues

UNFINISHED = {
    "en": [
        "I would like to",
        "what is seven plus",
        "well, the",
        "tomorrow, ",
        "and…",
        "um",
        "Um.",
        "I'd like to book a table for",
        "my number is five five",
        "My number is 555",
        "it's oh seven oh",
        "apples, pears,",
        "I need",
        "The price of",
        "What is the",
        "I want to speak with my",
        "my address is:",
        "one two three",
    ],
    "de": [
        "ich möchte mit",
        "Ich hätte gern einen",
        "äh",
        "Ähm.",
        "und dann",
        "Meine Nummer ist null eins",
        "Äpfel, Birnen,",
        "Ich fahre nach",
        "weil ich",
        "am Montag oder",
        "Können Sie mir sagen, ob",
        "fünf plus",
    ],
    "es": [
        "Quisiera hablar con",
        "y",
        "porque",
        "eh",
        "mi número es seis cinco",
        "Necesito un",
        "manzanas, peras,",
        "El lunes o",
        "Me gustaría",
    ],
    "fr": [
        "Je voudrais parler à",
        "et",
        "parce que",
        "euh",
        "Mon numéro est le 06",
        "zéro six",
        "C'est pour une",
        "Je cherche l'",
        "des pommes, des poires,",
        "Est-ce que",
        "je voudrais",
    ],
    "it": [
        "Vorrei parlare con",
        "e",
        "perché io",
        "ehm",
        "il mio numero è tre tre",
        "Cerco l'",
        "mele, pere,",
        "Ho bisogno",
        "per la",
    ],
    "pt": [
        "Eu gostaria de",
        "e",
        "porque",
        "hum",
        "meu número é nove nove",
        "Preciso de um",
        "maçãs, peras,",
        "falar com o",
    ],
    "nl": ["Ik wil graag", "en", "omdat", "eh", "mijn nummer is nul zes", "Ik zoek een", "appels, peren,", "naar de"],
    "pl": [
        "Chciałbym",
        "i",
        "ponieważ",
        "yyy",
        "mój numer to pięć zero",
        "Szukam w",
        "jabłka, gruszki,",
        "rozmawiać z",
    ],
    "tr": [
        "Randevu almak için",
        "ve",
        "çünkü",
        "ııı",
        "şey",
        "numaram beş üç",
        "Ben",
        "elma, armut,",
        "Yarın saat beşte ama",
        "VE",
        "ÇÜNKÜ",
    ],
    "ja": [
        "予約をお願いしたいんですけど",
        "明日の三時から",
        "電話番号は",
        "えーと",
        "あの、",
        "忙しいので",
        "それで",
        "電話番号は〇九〇",
        "行きたいのですが",
        "りんごと",
        "駅に",
    ],
    "zh": ["我想预约但是", "因为", "然后", "嗯", "我的电话是一三", "苹果、梨、", "请帮我", "那个", "我想问一下，"],
    "hi": ["मुझे अपॉइंटमेंट के लिए", "और", "क्योंकि", "मेरा नंबर है नौ आठ", "लेकिन", "मैं", "सेब, नाशपाती,", "दिल्ली में"],
}

FINISHED = {
    "en": [
        "what time is it",
        "Tell me a story.",
        "goodbye",
        "seven",
        "tomato",
        "I think so.",
        "Where are you from?",
        "what is it for?",
        "Can you turn it on",
        "Two and a half.",
        "twenty",
        "Yes, I am.",
        "How are you",
        "call me at ten thirty",
        "It's on the third of May",
        "That's a good point.",
        "My number is 555 123 4567",
        "five five five one two three four",
        "See you then",
        "I want that",
        "nine one one",
        "I'd like some of this",
        "Could you call me back",
        "That works very well",
        "He told me so do I have to wait",
        "What's the weather like?",
        "the 4th",
    ],
    "de": [
        "Wie spät ist es",
        "Rufen Sie mich bitte an.",
        "Ich lege jetzt auf.",
        "sieben",
        "Was ist das?",
        "Auf Wiederhören",
        "bis dann",
        "noch einmal bitte",
        "Das weiß ich nicht",
        "Um halb neun",
        "Kommen Sie mit",
        "Mir fällt der Name gerade nicht ein",
        "Vielen Dank",
        "Ich möchte das",
    ],
    "es": [
        "¿Qué hora es?",
        "Llámeme mañana",
        "siete",
        "Muchas gracias",
        "nada más",
        "No sé por qué",
        "a las dos y media",
        "Quiero este",
    ],
    "fr": [
        "Quelle heure est-il ?",
        "Rappelez-moi demain",
        "sept",
        "Merci beaucoup",
        "Je n'en veux plus",
        "encore une fois",
        "Bien sûr que si",
        "C'est combien",
    ],
    "it": [
        "Che ore sono?",
        "Mi richiami domani",
        "sette",
        "Grazie mille",
        "Che c'è",
        "Anch'io",
        "Ne voglio uno",
        "alle due e mezza",
    ],
    "pt": [
        "Que horas são?",
        "Ligue-me amanhã",
        "sete",
        "Muito obrigado",
        "Está tudo bem",
        "às vezes",
        "Não sei onde",
        "nada mais",
    ],
    "nl": [
        "Hoe laat is het?",
        "Bel me morgen op",
        "zeven",
        "Dank u wel",
        "Dat weet ik",
        "nog een keer",
        "Maakt niet uit",
        "ik snap het",
    ],
    "pl": [
        "Która godzina?",
        "Proszę zadzwonić jutro",
        "siedem",
        "Dziękuję bardzo",
        "Tak jest",
        "Nie wiem gdzie",
        "trzy razy",
    ],
    "tr": [
        "Saat kaç?",
        "Yarın beni arayın",
        "yedi",
        "Teşekkür ederim",
        "hepsi bu kadar",
        "Ne kadar",
        "İyi günler",
        "Evet benim",
    ],
    "ja": [
        "今何時ですか。",
        "明日電話してください",
        "七",
        "ありがとうございます",
        "教えて",
        "もう一度お願いします",
        "五時まで",
        "どうして",
        "こんにちは",
        "さようなら",
        "いつも",
    ],
    "zh": ["现在几点？", "明天打给我", "七", "谢谢", "三点", "是的", "不是", "我要这个吧", "我听到了", "再见"],
    "hi": ["कितने बजे हैं?", "मुझे कल फ़ोन कीजिए", "सात", "धन्यवाद", "कब से", "घर पर", "मुझे पता नहीं"],
}

LISTENING = {
    "en": [
        "uh-huh",
        "Yeah, okay.",
        "I see",
        "",
        "mm hmm right",
        "Mm-hmm.",
        "Hmmmm",
        "No problem.",
        "oh really",
        "That makes sense.",
    ],
    "de": ["Mhm.", "ja ja", "Ach so!", "genau, verstehe", "Alles klar.", "Ah ja, okay"],
    "es": ["Ajá.", "sí, sí", "vale", "Claro que sí.", "ya veo"],
    "fr": ["D'accord.", "d’accord", "oui oui", "Ah bon ?", "hum hum", "Je vois."],
    "it": ["Sì, sì.", "ho capito", "va bene", "Esatto!", "mmm"],
    "pt": ["Uhum.", "tá bom", "pois é", "isso mesmo", "Está bem."],
    "nl": ["Ja, precies.", "klopt", "oké", "Ik snap het."],
    "pl": ["Aha.", "no tak", "rozumiem", "Dobrze, dobrze."],
    "tr": ["hı hı", "Evet, tamam.", "ANLADIM", "Tabii ki", "AYNEN"],
    "ja": ["はい。", "うんうん", "なるほど、そうですね。", "ええ、はい", "へえ", "はい はい", "そうなんですね。"],
    "zh": ["嗯嗯", "好的，明白了。", "對對對", "没错", "不错", "哦，这样啊"],
    "hi": ["हाँ जी", "अच्छा, ठीक है।", "हम्म", "समझ गया", "कोई बात नहीं"],
}

INTERRUPTS = {
    "en": ["Hold on, please", "no", "Stop!", "um, wait", "Okay, stop.", "Sorry, actually", "excuse me"],
    "de": ["Stopp!", "Moment mal", "nein, das meine ich nicht", "ja, warten Sie", "Entschuldigung"],
    "es": ["Espere un momento", "¡Para!", "no, no", "perdone"],
    "fr": ["Attendez !", "Non.", "Excusez-moi", "euh, attends"],
    "it": ["Aspetti", "no no", "Un attimo, per favore", "Mi scusi"],
    "pt": ["Espere!", "não", "Só um momento", "peraí"],
    "nl": ["Wacht even", "nee", "Laat maar.", "Sorry, maar"],
    "pl": ["Proszę poczekać", "nie", "Chwileczkę", "przepraszam"],
    "tr": ["Durun!", "HAYIR", "Hayır, öyle değil", "bir dakika"],
    "ja": [
        "ちょっと待ってください",
        "いいえ、違います",
        "いや、そうじゃなくて",
        "あ、すみません",
        "いや。",
        "ストップ",
    ],
    "zh": ["等一下", "不，我是说明天", "停！", "别说了", "嗯，不对"],
    "hi": ["रुकिए", "नहीं, नहीं", "एक मिनट रुकिए", "अरे, सुनिए"],
}

GOES_ON = {
    "en": ["that is a no", "know what", "no problem", "I waited", "stopping by the house", "pause the music"],
    "de": ["das ist halt so", "Haltestelle", "neinsager"],
    "es": ["para mañana", "nosotros"],
    "fr": ["nonante", "je n'attends pas"],
    "it": ["nove", "ma io pensavo"],
    "pt": ["para amanhã", "nação"],
    "nl": ["neem maar", "hoor"],
    "pl": ["niebieski", "niemiecki"],
    "tr": ["durak", "yoksa gelmeyecek"],
    "ja": ["いやはや面白い", "そうですね、明日で"],
    "zh": ["不错", "停车场在哪里", "没问题"],
    "hi": ["नहींतो", "रुकावट"],
}


def _cases(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(language, text) for language, texts in table.items() for text in texts]


@pytest.mark.parametrize(("language", "text"), _cases(UNFINISHED))
def test_a_caller_who_stops_there_has_not_finished(language: str, text: str) -> None:
    assert load_cues(language).looks_unfinished(text)


@pytest.mark.parametrize(("language", "text"), _cases(FINISHED))
def test_a_caller_who_stops_there_has_finished(language: str, text: str) -> None:
    assert not load_cues(language).looks_unfinished(text)


@pytest.mark.parametrize(("language", "text"), _cases(LISTENING))
def test_signs_of_listening_do_not_ask_for_the_floor(language: str, text: str) -> None:
    cues = load_cues(language)
    assert cues.is_backchannel(text)
    assert not cues.interrupts(text)


@pytest.mark.parametrize(("language", "text"), _cases(INTERRUPTS))
def test_words_that_take_the_floor_at_once(language: str, text: str) -> None:
    cues = load_cues(language)
    assert cues.interrupts(text)
    assert not cues.is_backchannel(text)


@pytest.mark.parametrize(("language", "text"), _cases(GOES_ON))
def test_words_that_only_look_like_an_interruption(language: str, text: str) -> None:
    assert not load_cues(language).interrupts(text)
