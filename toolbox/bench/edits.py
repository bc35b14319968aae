"""How far what was heard is from what was said."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import TypeVar

W = TypeVar("W")


def edits(said: Sequence[W], heard: Sequence[W], same: Callable[[W, W], bool] = operator.eq) -> int:
    """Words to change, put in or leave out to make one of the other (Levenshtein, 1966)."""
    row = list(range(len(heard) + 1))
    for above, word in enumerate(said, start=1):
        before, row[0] = row[0], above
        for place, other in enumerate(heard, start=1):
            cost = min(row[place] + 1, row[place - 1] + 1, before + (not same(word, other)))
            before, row[place] = row[place], cost
    return row[-1]
