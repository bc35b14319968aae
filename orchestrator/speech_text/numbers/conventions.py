"""What is customary in a language where numbers are written or said. The words for numbers come from num2words,
the names of months, units and currencies from CLDR through Babel; here is only what neither has."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

# Words behind which a number of four digits is a year.
_ENGLISH_YEARS: Final = (
    "in since by until till from of before after during around circa the this year early late mid summer winter "
    "spring autumn fall and"
)
_GERMAN_YEARS: Final = "in im jahr jahre jahres seit bis von vor nach ab um anno und zwischen"
_DUTCH_YEARS: Final = "in jaar sinds tot van voor na vanaf tussen en"


@dataclass(frozen=True, slots=True)
class Conventions:
    """A language's habits."""

    language: str
    # CLDR's name of the language and region.
    locale: str
    # num2words' name of it; "" leaves digits to the voice: see `spelling`.
    converter: str = ""
    # "mdy", "dmy" or "ymd": how 11/10/2026 is meant.
    order: str = "dmy"
    # The parts of a date as said; `short` is one without its year.
    date: str = "{day} {month} {year}"
    short: str = "{day} {month}"
    # Which days of a month are ordinals: "all", "first" or "none".
    ordinal_days: str = "none"
    # Whether "3." can be "third".
    ordinal_stop: bool = False
    # How a decimal mark is said.
    marks: dict[str, str] = field(default_factory=dict)
    # Whether the places behind it are said as one number (3,14: "drei Komma eins vier", but "trois virgule quatorze").
    places_as_number: bool = False
    minus: str = ""
    plus: str = ""
    # Between the ends of a range; "" leaves ranges to the voice.
    to: str = ""
    # Between the parts of a version or an address.
    dot: str = ""
    # A time of day with minutes, on the hour; the word written behind it that goes into it.
    time: str = "{hour} {minute}"
    o_clock: str = ""
    time_word: str = ""
    # What stands between a currency and its hundredths.
    hundredths: str = " "
    # Words of millions, with what follows them before a currency.
    magnitudes: dict[str, str] = field(default_factory=dict)
    # Said for 1/2, 1/3, 2/3, 1/4, 3/4, and behind a whole number.
    fractions: tuple[str, str, str, str, str] = ("", "", "", "", "")
    mixed: tuple[str, str, str, str, str] = ("", "", "", "", "")
    # Words behind which a number of four digits is a year.
    year_cues: frozenset[str] = frozenset()
    # Words written inside dates ("24 de noviembre").
    of: str = ""


_EN: Final = Conventions(
    "en",
    "en",
    "en",
    order="mdy",
    date="{month} {day}, {year}",
    short="{month} {day}",
    ordinal_days="all",
    marks={".": "point"},
    minus="minus",
    plus="plus",
    to="to",
    dot="dot",
    o_clock="{hour} o'clock",
    hundredths=" and ",
    magnitudes={"million": " ", "billion": " ", "trillion": " ", "thousand": " "},
    fractions=("one half", "one third", "two thirds", "one quarter", "three quarters"),
    mixed=("and a half", "and a third", "and two thirds", "and a quarter", "and three quarters"),
    year_cues=frozenset(_ENGLISH_YEARS.split()),
    of="of",
)
_LANGUAGES: Final = {
    "en": _EN,
    "de": Conventions(
        "de",
        "de",
        "de",
        ordinal_days="all",
        ordinal_stop=True,
        marks={",": "Komma", ".": "Punkt"},
        minus="minus",
        plus="plus",
        to="bis",
        dot="Punkt",
        time="{hour} Uhr {minute}",
        o_clock="{hour} Uhr",
        time_word="Uhr",
        magnitudes={
            "Millionen": " ",
            "Million": " ",
            "Milliarden": " ",
            "Milliarde": " ",
            "Mio.": " Millionen ",
            "Mrd.": " Milliarden ",
            "Tausend": " ",
        },
        fractions=("ein halb", "ein Drittel", "zwei Drittel", "ein Viertel", "drei Viertel"),
        mixed=("einhalb", "ein Drittel", "zwei Drittel", "ein Viertel", "drei Viertel"),
        year_cues=frozenset(_GERMAN_YEARS.split()),
    ),
    "fr": Conventions(
        "fr",
        "fr",
        "fr",
        ordinal_days="first",
        marks={",": "virgule", ".": "point"},
        places_as_number=True,
        minus="moins",
        plus="plus",
        to="à",
        dot="point",
        time="{hour} heures {minute}",
        o_clock="{hour} heures",
        magnitudes={"million": " d'", "millions": " d'", "milliard": " d'", "milliards": " d'"},
        fractions=("un demi", "un tiers", "deux tiers", "un quart", "trois quarts"),
        mixed=("et demi", "un tiers", "deux tiers", "un quart", "trois quarts"),
    ),
    "es": Conventions(
        "es",
        "es",
        "es",
        date="{day} de {month} de {year}",
        short="{day} de {month}",
        marks={",": "coma", ".": "punto"},
        places_as_number=True,
        minus="menos",
        plus="más",
        to="a",
        dot="punto",
        hundredths=" con ",
        magnitudes={"millón": " de ", "millones": " de "},
        fractions=("un medio", "un tercio", "dos tercios", "un cuarto", "tres cuartos"),
        mixed=("y medio", "y un tercio", "y dos tercios", "y un cuarto", "y tres cuartos"),
        of="de",
    ),
    "it": Conventions(
        "it",
        "it",
        "it",
        ordinal_days="first",
        marks={",": "virgola", ".": "punto"},
        places_as_number=True,
        minus="meno",
        plus="più",
        to="a",
        dot="punto",
        time="{hour} e {minute}",
        hundredths=" e ",
        magnitudes={"milione": " di ", "milioni": " di ", "miliardo": " di ", "miliardi": " di "},
        fractions=("un mezzo", "un terzo", "due terzi", "un quarto", "tre quarti"),
        mixed=("e mezzo", "e un terzo", "e due terzi", "e un quarto", "e tre quarti"),
    ),
    "pt": Conventions(
        "pt",
        "pt_BR",
        "pt_BR",
        date="{day} de {month} de {year}",
        short="{day} de {month}",
        ordinal_days="first",
        marks={",": "vírgula", ".": "ponto"},
        places_as_number=True,
        minus="menos",
        plus="mais",
        to="a",
        dot="ponto",
        time="{hour} e {minute}",
        hundredths=" e ",
        magnitudes={"milhão": " de ", "milhões": " de ", "bilhão": " de ", "bilhões": " de "},
        fractions=("meio", "um terço", "dois terços", "um quarto", "três quartos"),
        mixed=("e meio", "e um terço", "e dois terços", "e um quarto", "e três quartos"),
        of="de",
    ),
    "nl": Conventions(
        "nl",
        "nl",
        "nl",
        marks={",": "komma", ".": "punt"},
        minus="min",
        plus="plus",
        to="tot",
        dot="punt",
        time="{hour} uur {minute}",
        o_clock="{hour} uur",
        time_word="uur",
        magnitudes={"miljoen": " ", "miljard": " "},
        fractions=("een half", "een derde", "twee derde", "een kwart", "drie kwart"),
        mixed=("en een half", "en een derde", "en twee derde", "en een kwart", "en drie kwart"),
        year_cues=frozenset(_DUTCH_YEARS.split()),
    ),
    "pl": Conventions(
        "pl",
        "pl",
        "pl",
        ordinal_days="all",
        ordinal_stop=True,
        marks={",": "przecinek", ".": "kropka"},
        places_as_number=True,
        minus="minus",
        plus="plus",
        dot="kropka",
        fractions=("jedna druga", "jedna trzecia", "dwie trzecie", "jedna czwarta", "trzy czwarte"),
        mixed=("i pół", "i jedna trzecia", "i dwie trzecie", "i jedna czwarta", "i trzy czwarte"),
    ),
    "tr": Conventions(
        "tr",
        "tr",
        "tr",
        ordinal_stop=True,
        marks={",": "virgül", ".": "nokta"},
        places_as_number=True,
        minus="eksi",
        plus="artı",
        to="ila",
        dot="nokta",
        magnitudes={"milyon": " ", "milyar": " "},
        fractions=("yarım", "üçte bir", "üçte iki", "dörtte bir", "dörtte üç"),
        mixed=("buçuk", "", "", "", ""),
    ),
    "ja": Conventions(
        "ja", "ja", order="ymd", minus="マイナス", to="から", time="{hour}時{minute}分", o_clock="{hour}時"
    ),
    "zh": Conventions("zh", "zh", order="ymd", minus="负", to="到", time="{hour}点{minute}分", o_clock="{hour}点"),
    "hi": Conventions("hi", "hi", minus="माइनस", to="से", time="{hour} बजकर {minute} मिनट", o_clock="{hour} बजे"),
}
_BRITISH: Final = replace(
    _EN, order="dmy", date="the {day} of {month} {year}", short="the {day} of {month}", locale="en_GB"
)
# Regions that write dates or numbers otherwise than their language's first.
_REGIONS: Final = {
    "en-IN": replace(_BRITISH, locale="en_IN", converter="en_IN"),
    "en-CA": replace(_EN, locale="en_CA", order="dmy"),
    **{f"en-{region}": replace(_BRITISH, locale=f"en_{region}") for region in ("GB", "IE", "AU", "NZ", "ZA", "SG")},
    **{f"es-{region}": replace(_LANGUAGES["es"], locale=f"es_{region}") for region in ("MX", "US", "PR", "GT", "PE")},
    "pt-PT": replace(_LANGUAGES["pt"], locale="pt_PT", converter="pt", ordinal_days="none"),
    "de-CH": replace(_LANGUAGES["de"], locale="de_CH"),
}


def conventions_for(language: str) -> Conventions | None:
    """The conventions of a BCP 47 language; None for one whose numbers are left to the voice."""
    parts = language.replace("_", "-").split("-")
    base = parts[0].lower()
    regional = _REGIONS.get(f"{base}-{parts[-1].upper()}") if len(parts) > 1 else None
    return regional or _LANGUAGES.get(base)
