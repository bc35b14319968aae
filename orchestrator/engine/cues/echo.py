"""How much of what was heard is what the agent itself was saying."""

from __future__ import annotations

import functools
from collections.abc import Sequence

# More than is played in a few seconds; bounds the work.
MAX_WORDS = 64
# A cut-off word must have this many letters to be recognised by its beginning.
_BEGINNING = 3
# An echo is a stretch of what was played, of which a word or two may not have been understood. In more, the small words
# of any sentence are found somewhere in the right order.
_MISSED_WORDS = 2


def overlap(words_heard: Sequence[str], words_played: Sequence[str]) -> float:
    """Share of the heard words, 0 to 1, that one stretch of what was played holds in the same order.

    0 when nothing was heard. Both as `words_of` gives them. Forgives what a recogniser does to its own side's speech: a
    letter in four wrong, a word written as two or two as one, two words not understood, and the last word cut off. The
    last 64 words of each side count.
    """
    heard, played = tuple(words_heard[-MAX_WORDS:]), tuple(words_played[-MAX_WORDS:])
    if not heard:
        return 0.0
    # Words that are heard as one are two of what was played.
    length = len(heard) + max(_MISSED_WORDS, len(heard) // 2)
    starts = range(max(1, len(played) - length + 1))
    return max(_matched(heard, played[start : start + length]) for start in starts) / len(heard)


def _matched(heard: tuple[str, ...], played: tuple[str, ...]) -> int:
    """Heard words that were played in the same order."""
    # best[i][j]: most heard words matched among the first i heard and the first j played.
    best = [[0] * (len(played) + 1) for _ in range(len(heard) + 1)]
    for i, word in enumerate(heard, start=1):
        row, above = best[i], best[i - 1]
        for j, sound in enumerate(played, start=1):
            most = max(above[j], row[j - 1])
            if alike(word, sound) or (i == len(heard) and _begins(word, sound)):
                most = max(most, above[j - 1] + 1)
            if j > 1 and len(word) > 1 and alike(word, played[j - 2] + sound):
                most = max(most, above[j - 2] + 1)
            if i > 1 and len(sound) > 1 and alike(heard[i - 2] + word, sound):
                most = max(most, best[i - 2][j - 1] + 2)
            row[j] = most
    return best[-1][-1]


@functools.lru_cache(maxsize=4096)
def alike(one: str, other: str) -> bool:
    """Whether two words are the same but for one letter in four."""
    if one == other:
        return True
    slips = max(len(one), len(other)) // 4
    if abs(len(one) - len(other)) > slips or any(c.isdigit() for c in one + other):
        return False
    before = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        row = [i]
        for j, against in enumerate(other, start=1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (letter != against)))
        before = row
    return before[-1] <= slips


def _begins(word: str, sound: str) -> bool:
    return len(word) >= _BEGINNING and sound.startswith(word)
