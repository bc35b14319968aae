"""The few words that stand for signs, per language. Numbers, dates and money are read elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Words:
    """How signs are said. An empty word: the sign is left to the synthesiser, or out if it is markup."""

    ampersand: str = ""
    times: str = ""
    less_than: str = ""
    greater_than: str = ""
    about: str = ""
    # Said once in place of a block of code; a whole sentence.
    code: str = ""
    # For "#" before a number.
    number: str = ""
    # For "^" before a power.
    power: str = ""


_WORDS: Final = {
    "en": Words(
        "and", "times", "less than", "greater than", "about", "Some code is left out here.", "number", "to the power of"
    ),
    "de": Words(
        "und", "mal", "kleiner als", "größer als", "etwa", "Hier lasse ich Programmtext aus.", "Nummer", "hoch"
    ),
    "fr": Words(
        "et", "fois", "inférieur à", "supérieur à", "environ", "Je laisse ici du code de côté.", "numéro", "puissance"
    ),
    "es": Words("y", "por", "menor que", "mayor que", "unos", "Aquí omito un trozo de código.", "número", "elevado a"),
    "it": Words("e", "per", "minore di", "maggiore di", "circa", "Qui tralascio del codice.", "numero", "elevato a"),
    "pt": Words(
        "e", "vezes", "menor que", "maior que", "cerca de", "Aqui omito um trecho de código.", "número", "elevado a"
    ),
    "nl": Words(
        "en", "keer", "kleiner dan", "groter dan", "ongeveer", "Hier laat ik code weg.", "nummer", "tot de macht"
    ),
    "pl": Words("i", "razy", "mniejsze niż", "większe niż", "około", "Pomijam tu fragment kodu.", "numer"),
    "tr": Words(
        "ve", "çarpı", "küçüktür", "büyüktür", "yaklaşık", "Burada bir kod bölümünü atlıyorum.", "numara", "üssü"
    ),
    "ja": Words(code="ここではコードを省略します。"),
    "zh": Words(code="这里省略了一段代码。"),
    "hi": Words("और", code="यहाँ कोड छोड़ दिया गया है।"),
}
_NONE: Final = Words()


def words_for(language: str) -> Words:
    """The words of a BCP 47 language; none for a language that is not known here."""
    return _WORDS.get(language.replace("_", "-").split("-")[0].lower(), _NONE)
