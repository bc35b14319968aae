"""Which characters a voice can say."""

from __future__ import annotations

import unicodedata
from typing import Final

# Symbols that voices know how to read, among those that are otherwise pictures.
_SAID_SYMBOLS: Final = frozenset("°№℃℉")
_DROPPED: Final = frozenset(
    "\u2139\u203c\u2049\u3030\u303d"  # look like letters and marks, are emoji
    "\u20e3"  # the frame of a keycap
)
# Half-joiners shape letters in Persian and Indic scripts, and glue emoji together elsewhere.
_JOINERS: Final = frozenset("\u200c\u200d")


def reading(character: str, before: str) -> str:
    """How one character that is no markup reads: itself, " ", a pause, or nothing.

    `before` is the written character before it.
    """
    if character.isalnum() and character not in _DROPPED:
        return character
    if character in _JOINERS:
        return character if before.isalpha() else ""
    if "\u2190" <= character <= "\u21ff" or "\u27f0" <= character <= "\u27ff":  # arrows
        return ", "
    if "\ufe00" <= character <= "\ufe0f" or character in _DROPPED:  # variation selectors
        return ""
    if character in _SAID_SYMBOLS:
        return character
    category = unicodedata.category(character)
    if category in {"Zs", "Zl", "Zp"}:
        return " "
    # Pictures and emoji, skin tones, controls, invisible formats, halves of characters, private and unassigned ones.
    return "" if category in {"So", "Sk", "Cc", "Cf", "Cs", "Co", "Cn"} else character
