"""What the training voices say: the demo's and benches' sentences, loose words, numbers, some German, strange words.

A sentence of four words and more whose hash falls into one eighth is held out: it is never trained on, and is what the
model is examined on. Shorter ones are the words themselves and cannot be held out.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from toolbox.bench.turn_taking.corpus import texts

Kind = Literal["demo", "bench", "loose", "digits", "german", "strange"]

KINDS: Final[dict[Kind, float]] = {
    "demo": 0.32, "bench": 0.26, "loose": 0.22, "digits": 0.05, "german": 0.10, "strange": 0.05,
}  # fmt: skip
"""Share of each kind in the corpus."""

_WORD: Final = re.compile(r"[a-zäöüß]+(?:['-][a-zäöüß]+)*")
_HELD_OUT_ONE_IN = 8
_SHORTEST_HELD_OUT = 4

_UNITS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_DIGITS = ["zero", *_UNITS]

# The demo's grammar, and what else its brain answers to.
_PHRASES = (
    """what time is it|what time is it now|what is the time|what is the time now|tell me the time
can you tell me the time please|do you have the time|what o'clock is it|what is the weather|what is the weather today
how is the weather|how is the weather today|what is the forecast|tell me the forecast for today|what is the time please
tell me the weather please|hello|hi|hey|good morning|good afternoon|good evening|good day|how are you|how do you do
how are you today|hello how are you|hi there|hello there|what is your name|who are you|what are you|tell me your name
what can you do|thank you|thanks|thank you very much|many thanks|tell me a story|tell me a long story|tell me a tale
tell me another story|tell me a short story please|please tell me a story|i want to hear a story|a story please
stop|stop please|please stop|stop it|wait|wait a moment|wait please|wait a minute|hold on|hang on|be quiet|enough
that is enough|no|no no|nope|no thanks|no thank you|yes|yes please|yeah|okay|right|all right|uh-huh|mm-hmm|i see
of course|sure|great|good|goodbye|good bye|bye|bye bye|thank you goodbye|thanks bye|see you|see you later|hang up
see you tomorrow|that is all goodbye|go on|go on please|continue|continue please|please continue|carry on|keep going
where were we|tell me more|can you go on with the story|transfer me to a person|connect me to the office
put me through to the doctor|can i speak to a person|i want to talk to a person please|connect me with my brother
transfer me to the library please|again|again please|say that again|can you say that again please|what|pardon
i did not understand that|can you repeat that|repeat that please|louder please|slower please|can you hear me
i want to ask something|i have a question|one more question|how much is it|help|help me|can you help me
i need help|what is it|that is wrong|that is right|no that is wrong|yes that is right|okay thank you|okay goodbye
okay stop|no stop|no wait|stop that please|wait i have a question|stop i have a question|yes go on|okay go on
let me think|never mind|maybe later|maybe tomorrow|well|hm|um|uh|er|oh|ah|sorry|excuse me|i am sorry|my name is alice
is anybody there|are you there|hello are you there|i am here|what day is it|what day is it today|what is the day today
""".strip()
    .replace("\n", "|")
    .split("|")
)
_QUESTIONS = ("what is", "how much is", "what's", "can you tell me what is", "please tell me", "and what is")
_OPERATORS = ("plus", "minus", "times", "divided by")
_LEADS = ("", "", "", "", "please ", "okay ", "no ", "hello ", "um ", "uh ", "well ", "and ", "sorry ")
_TAILS = ("", "", "", "", "", "", " please", " thank you", " now")

_GERMAN_NUMBERS = [
    "null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf",
    "dreizehn", "vierzehn", "fünfzehn", "sechzehn", "siebzehn", "achtzehn", "neunzehn", "zwanzig", "dreißig",
    "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig", "hundert",
]  # fmt: skip
_GERMAN = (
    """wie spät ist es|wie spät ist es jetzt|wie viel ist {n} plus {n}|was ist {n} minus {n}|was ist {n} mal {n}
wie viel ist {n} geteilt durch {n}|hallo|guten morgen|guten tag|guten abend|wie geht es dir|wie heißt du|wer bist du
danke|vielen dank|erzähl mir eine geschichte|bitte erzähl mir eine lange geschichte|wie ist das wetter heute|stopp
warte|warte einen moment|nein|nein danke|ja|ja bitte|gut|auf wiedersehen|danke auf wiedersehen|weiter|sprich weiter
ich möchte einen tisch für {n} personen am {d}|meine nummer ist {n} {n} {n} {n}|kannst du mir helfen|was kostet das
ich habe eine frage|wann öffnet das museum am {d}|ich komme am {d} um {n} uhr|das ist nicht richtig|ich verstehe dich
kannst du das bitte noch einmal sagen|mein name ist anna|wo ist der bahnhof|ich brauche einen arzt|es ist {n} uhr
""".strip()
    .replace("\n", "|")
    .split("|")
)
_GERMAN_DAYS = ("montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonntag")

_NUMBER: Final = (
    f"(?:zero|{'|'.join((*_UNITS, *_TEENS))}|(?:{'|'.join(_TENS)})(?: (?:{'|'.join(_UNITS)}))?|(?:one|a) hundred)"
)
# As ``demo.gram`` has them.
_DEMO_GRAMMAR: Final = re.compile(
    rf"(?:what is|how much is) {_NUMBER} (?:plus|minus|times|divided by) {_NUMBER}|what time is it(?: now)?"
    r"|what is the time(?: now)?|tell me the time|what is the weather(?: today)?|hello|hi|good morning|how are you"
    r"|what is your name|who are you|thank you|tell me a (?:long )?story|stop(?: please)?|wait(?: a moment)?|no|yes"
    r"|okay|right|uh-huh|goodbye|bye|thank you goodbye"
)


@dataclass(frozen=True)
class Sentence:
    """Something to say."""

    text: str
    """As it goes to the voice."""
    kind: Kind

    @property
    def language(self) -> str:
        """BCP 47."""
        return "de" if self.kind == "german" else "en"


def words_of(text: str) -> list[str]:
    """The words as they are written down: lower case, no punctuation."""
    return _WORD.findall(text.lower().replace("’", "'"))


def is_held_out(text: str) -> bool:
    """Whether a sentence is kept for the examination."""
    words = words_of(text)
    digest = hashlib.sha256(" ".join(words).encode()).digest()
    return len(words) >= _SHORTEST_HELD_OUT and digest[0] % _HELD_OUT_ONE_IN == 0


def is_in_demo_grammar(text: str) -> bool:
    """Whether the embedded recogniser's own grammar holds a sentence."""
    return _DEMO_GRAMMAR.fullmatch(" ".join(words_of(text))) is not None


def english_texts() -> list[str]:
    """Every text that English vocabulary is taken from, once."""
    numbers = " ".join(["zero", *_UNITS, *_TEENS, *_TENS, "hundred"])
    asked = " ".join([*_QUESTIONS, *_OPERATORS, *_LEADS, *_TAILS, *(word for place in _fillings() for word in place)])
    return [*_PHRASES, *_bench_texts(), numbers, asked]


def german_texts() -> list[str]:
    """Every text that German vocabulary is taken from, once."""
    plain = [text.replace("{n}", "").replace("{d}", "") for text in _GERMAN]
    return [*plain, " ".join(_GERMAN_NUMBERS), " ".join(_GERMAN_DAYS)]


class SentenceSource:
    """Draws sentences, either those to train on or those held out."""

    def __init__(self, english: list[str], german: list[str], strange: list[str], *, held_out: bool) -> None:
        """The lists are the words for loose sequences: known ones of both languages, and unknown English ones."""
        self._english = english
        self._german = german
        self._strange = strange
        self._held_out = held_out

    def draw(self, kind: Kind, chance: random.Random) -> Sentence:
        """A sentence of a kind; held-out ones have at least four words."""
        while True:
            text = self._text(kind, chance)
            long_enough = len(words_of(text)) >= _SHORTEST_HELD_OUT
            if is_held_out(text) == self._held_out and (long_enough or not self._held_out):
                return Sentence(_spoken(text, kind, chance), kind)

    def any(self, chance: random.Random) -> Sentence:
        """A sentence of any kind, in the corpus's shares."""
        return self.draw(chance.choices(list(KINDS), list(KINDS.values()))[0], chance)

    def _text(self, kind: Kind, chance: random.Random) -> str:
        match kind:
            case "demo":
                return _demo(chance)
            case "bench":
                return _bench(chance)
            case "digits":
                return " ".join(chance.choice(_DIGITS) for _ in range(chance.randint(1, 8)))
            case "german":
                return self._in_german(chance)
            case "strange":
                known = chance.random() < 0.3
                pool = self._strange if not known else [*chance.sample(self._strange, 6), *chance.sample(_english(), 4)]
                return " ".join(chance.choice(pool) for _ in range(chance.randint(1, 6)))
            case "loose":
                return self._loose(self._english, chance)

    def _loose(self, words: list[str], chance: random.Random) -> str:
        """Words in no order, some of them in the company they keep."""
        said: list[str] = []
        for _ in range(chance.choice((1, 1, 2, 2, 3, 4, 5))):
            if chance.random() < 0.6:
                said.append(chance.choice(words))
            else:
                company = words_of(_demo(chance) if chance.random() < 0.4 else _bench(chance))
                at = chance.randrange(len(company))
                said += company[at : at + chance.randint(1, 3)]
        return " ".join(said)

    def _in_german(self, chance: random.Random) -> str:
        if chance.random() < 0.3:
            return " ".join(chance.choice(self._german) for _ in range(chance.randint(1, 5)))
        text = chance.choice(_GERMAN)
        while "{n}" in text:
            text = text.replace("{n}", chance.choice(_GERMAN_NUMBERS), 1)
        return text.replace("{d}", chance.choice(_GERMAN_DAYS))


def loose_words(pronunciations: dict[str, str]) -> list[str]:
    """The words that may stand anywhere: of those that sound alike the commonest one only."""
    counts = Counter(word for text in english_texts() for word in words_of(text))
    best: dict[str, str] = {}
    for word, phones in pronunciations.items():
        if phones not in best or counts[word] > counts[best[phones]]:
            best[phones] = word
    return sorted(best.values())


def _demo(chance: random.Random) -> str:
    if chance.random() < 0.55:
        question = chance.choices(_QUESTIONS, (8, 8, 1, 1, 1, 1))[0]
        text = f"{question} {_number(chance)} {chance.choice(_OPERATORS)} {_number(chance)}"
        return text if chance.random() < 0.8 else chance.choice(_LEADS) + text + chance.choice(_TAILS)
    phrase = chance.choice(_PHRASES)
    return phrase if chance.random() < 0.7 else chance.choice(_LEADS) + phrase + chance.choice(_TAILS)


def _number(chance: random.Random) -> str:
    match chance.randrange(6):
        case 0 | 1:
            return chance.choice(_UNITS)
        case 2:
            return chance.choice(_TEENS)
        case 3:
            return chance.choice(_TENS)
        case 4:
            return f"{chance.choice(_TENS)} {chance.choice(_UNITS)}"
        case _:
            return chance.choice(("zero", "one hundred", "a hundred", "one hundred"))


def _bench(chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.3:
        return chance.choice((*texts.ALICE, *texts.HOLMES))
    if kind < 0.65:
        return texts.filled(chance.choice(texts.TEMPLATES), chance)
    if kind < 0.8:
        return chance.choice((*texts.INTERRUPTIONS, *texts.OPENINGS))
    if kind < 0.9:
        return chance.choice(texts.BACKCHANNELS)
    digits = " ".join(chance.choice(_DIGITS) for _ in range(chance.randint(2, 7)))
    return chance.choice(texts.NUMBER_TEMPLATES).format(digits=digits)


def _spoken(text: str, kind: Kind, chance: random.Random) -> str:
    """With punctuation or without it, which the voice's tune hangs on."""
    written = text[-1:] in ".?!"
    if written and chance.random() < 0.4:
        return " ".join(words_of(text))
    if not written and kind not in {"strange", "digits"} and chance.random() < 0.3:
        return text + chance.choice((".", "?"))
    return text


def _bench_texts() -> list[str]:
    plain = [re.sub(r"{\w+}", "", template) for template in (*texts.TEMPLATES, *texts.NUMBER_TEMPLATES)]
    return [*texts.ALICE, *texts.HOLMES, *plain, *texts.BACKCHANNELS, *texts.INTERRUPTIONS, *texts.OPENINGS]


def _fillings() -> list[set[str]]:
    """The words of the templates' places, as the templates use them."""
    chance = random.Random(0)
    return [{texts.filled(f"{{{name}}}", chance) for _ in range(200)} for name in _PLACES]


_PLACES = ("count", "day", "ordinal", "month", "place", "relative")


@cache
def _english() -> list[str]:
    return sorted({word for text in english_texts() for word in words_of(text)})
