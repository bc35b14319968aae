"""Who speaks: eSpeak NG's English accents and its variants of timbre, some of both kept for the examination."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

_ACCENTS: Final = ("en", "en-us", "en-gb-x-rp", "en-gb-scotland", "en-gb-x-gbclan", "en-us-nyc", "en-029")
_TIMBRES: Final = (
    "", "", "", "", "f1", "f2", "f4", "f5", "m1", "m4", "m5", "m6", "m8", "Alex", "Andrea", "Andy", "Annie", "Diogo",
    "Gene", "Henrique", "Hugo", "Jacky", "Lee", "Marco", "Mario", "Michael", "Mike", "Nguyen", "adam", "announcer",
    "antonio", "aunty", "belinda", "benjamin", "boris", "caleb", "ed", "edward", "grandma", "grandpa", "gustave", "ian",
    "iven", "john", "kaukovalta", "klatt", "klatt2", "linda", "marcelo", "max", "michel", "miguel", "norbert", "pablo",
    "paul", "pedro", "quincy", "rob", "robert", "sandro", "shelby", "steph2", "travis", "victor", "zac",
)  # fmt: skip
HELD_OUT_TIMBRES: Final = (
    "en-us+m3", "en+f3", "en-us+f3", "en-us+m2", "en+m2", "en-gb-x-rp+m7", "en-us+m7", "en-gb-scotland+m2", "en+david",
    "en-us+Alicia",
)  # fmt: skip
"""Voices whose timbre was trained on in no accent; pocketsphinx's means were made without them, too."""
HELD_OUT_ACCENT: Final = ("en-gb-x-gbcwmd", "en-gb-x-gbcwmd+f2", "en-gb-x-gbcwmd+m4", "en-gb-x-gbcwmd+f3")
"""Voices of an accent that was not trained on, the last of an unknown timbre as well."""
KNOWN: Final = ("en", "en-us", "en-gb-x-rp", "en-us+m1", "en-us+f2", "en-gb-scotland", "en-gb-x-rp+f5", "en-us+m6")
"""Voices that both engines were trained on."""


@dataclass(frozen=True)
class Manner:
    """How something is spoken."""

    voice: str
    rate_wpm: int
    pitch: int


def some_manner(language: str, chance: random.Random) -> Manner:
    """A voice to train on, at some pace and pitch."""
    accent = chance.choice(_ACCENTS) if language == "en" else language
    timbre = chance.choice(_TIMBRES)
    voice = f"{accent}+{timbre}" if timbre else accent
    return Manner(voice, round(chance.triangular(115, 225, 165)), round(chance.triangular(20, 80, 50)))
