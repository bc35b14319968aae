"""Who calls: voice, pace, pitch, loudness and line of one caller."""

from __future__ import annotations

import random
from dataclasses import dataclass

_ACCENTS = ("en", "en-us", "en-gb-x-rp", "en-gb-scotland", "en-029")
_VARIANTS = ("", "+f1", "+f2", "+f3", "+f4", "+f5", "+m1", "+m2", "+m3", "+m4", "+m5", "+m6", "+m7")


@dataclass(frozen=True)
class Speaker:
    """One caller and their line."""

    voice: str
    rate_wpm: int
    pitch: int
    level_dbfs: float
    """Of the louder 20 ms frames of their speech."""
    noise_dbfs: float
    """Of the line's noise, which never stops."""


def random_speaker(chance: random.Random) -> Speaker:
    """A caller as they come: quiet or loud, fast or slow, on good lines and on bad ones."""
    level = chance.uniform(-30.0, -14.0)
    return Speaker(
        voice=chance.choice(_ACCENTS) + chance.choice(_VARIANTS),
        rate_wpm=chance.randint(125, 205),
        pitch=chance.randint(25, 75),
        level_dbfs=round(level, 1),
        noise_dbfs=round(level - chance.uniform(20.0, 45.0), 1),
    )
