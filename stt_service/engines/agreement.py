"""What of a growing hypothesis will not change any more: LocalAgreement-2 (Liu et al., 2020; Macháček et al., 2023)."""

from __future__ import annotations

from collections.abc import Sequence


class LocalAgreement:
    """Commits the words that two hypotheses in a row begin with; what was committed once stays."""

    def __init__(self, between: str = " ") -> None:
        """``between`` stands between two words; empty where words bring their own spaces."""
        self._between = between
        self._stable: list[str] = []
        self._previous: list[str] = []

    @property
    def stable(self) -> tuple[str, ...]:
        """The committed words."""
        return tuple(self._stable)

    def add(self, words: Sequence[str]) -> tuple[str, str]:
        """Take the next hypothesis; return the stable text and the unstable one, its leading space included."""
        agreed = 0
        for before, now in zip(self._previous, words, strict=False):
            if before != now:
                break
            agreed += 1
        self._previous = list(words)
        committed = len(self._stable)
        # A hypothesis that contradicts what is committed cannot extend it; what lies beyond is shown, not promised.
        if agreed > committed and list(words[:committed]) == self._stable:
            self._stable = list(words[:agreed])
        stable, unstable = self._between.join(self._stable), self._between.join(words[len(self._stable) :])
        return stable, f"{self._between}{unstable}" if stable and unstable else unstable

    def forget(self, count: int) -> None:
        """Leave out the first so many committed words: the hypotheses to come begin after them."""
        self._stable = self._stable[count:]
        self._previous = self._previous[count:]
