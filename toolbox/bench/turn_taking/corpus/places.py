"""Where a caller may pause to think, and how a good recogniser punctuates what it has heard until then.

An unfinished place lies after a word that asks for another, or inside a number. The words are the author's choice of
English function words; the engine's lists are neither read nor copied.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

_AFTER = {
    "conjunction": ("and", "but", "or", "if", "when", "before", "that", "whether", "though"),
    "article": ("a", "an", "the"),
    "preposition": ("to", "of", "in", "on", "for", "with", "at", "from", "by", "upon", "near", "about", "under"),
}
_FILLERS = ("um", "uh", "er", "hm")
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True)
class Piece:
    """What is said in one breath.

    ``spoken`` goes to the voice; ``written`` is how a recogniser writes it within a longer text (one entry a spoken
    word, empty where a digit was joined to the one before); ``closing`` what it puts behind the text when the text ends
    here.
    """

    spoken: str
    written: tuple[str, ...]
    closing: str = ""


def whole(sentence: str) -> Piece:
    """A sentence said without a pause."""
    words = sentence.split()
    return Piece(sentence, tuple(words), sentence[-1] if sentence[-1] in ".?!" else "")


def split_unfinished(sentence: str, chance: random.Random) -> tuple[str, list[Piece]] | None:
    """Break a sentence at an unfinished place: its name and the two pieces; None where it has none.

    A fifth of the breaks are made by a filler ("um") that is put in anywhere but at the ends.
    """
    words = sentence.split()
    places = [
        (name, index + 1)
        for index, word in enumerate(words[:-1])
        for name, members in _AFTER.items()
        if index >= 1 and word.lower().strip(",") in members
    ]
    if len(words) >= 5 and (not places or chance.random() < 0.2):
        at = chance.randint(2, len(words) - 2)
        head = [*words[:at], chance.choice(_FILLERS)]
        return "filler", _broken(head, words[at:], sentence)
    if not places:
        return None
    name, at = chance.choice(places)
    return name, _broken(words[:at], words[at:], sentence)


def _broken(head: list[str], tail: list[str], sentence: str) -> list[Piece]:
    spoken = " ".join(head)
    first = Piece(spoken.rstrip(","), tuple(head), unfinished_closing(spoken))
    return [first, whole(" ".join(tail) if sentence[-1] in ".?!" else " ".join(tail) + ".")]


def unfinished_closing(text: str) -> str:
    """What Whisper puts behind a text that breaks off: half the time nothing, else dots, a comma or a false full stop.

    It does close fragments as if they were sentences; 15 % of them here. The choice hangs on the text alone.
    """
    lot = hashlib.sha256(text.encode()).digest()[1] / 256
    if lot < 0.50:
        return ""
    if lot < 0.75:
        return "..."
    return "," if lot < 0.85 else "."


def dictated(template: str, chance: random.Random) -> list[Piece]:
    """A number said in groups; a recogniser writes the digits of a group together."""
    sizes = chance.choice(((3, 4), (3, 3, 4), (2, 2, 2), (4, 4), (3, 3)))
    before, _, after = template.partition("{digits}")
    lead = before.split()
    pieces: list[Piece] = []
    for number, size in enumerate(sizes):
        digits = [chance.randrange(10) for _ in range(size)]
        group = "".join(map(str, digits))
        written = (group, *("" for _ in digits[1:]))
        last = number == len(sizes) - 1
        spoken = " ".join([*(lead if number == 0 else ()), *(DIGITS[digit] for digit in digits)])
        pieces.append(
            Piece(spoken, (*(lead if number == 0 else ()), *written), after if last else _group_closing(group))
        )
    return pieces


def _group_closing(group: str) -> str:
    """Behind digits Whisper puts a full stop more often than behind words."""
    return (".", "", ",", "")[hashlib.sha256(group.encode()).digest()[2] % 4]
