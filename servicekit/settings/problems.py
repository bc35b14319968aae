"""What can be wrong with settings, said so that a person can put it right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One mistake in the settings."""

    name: str
    """Dotted name of the setting, such as ``stt.listen``; the file's path when it cannot be read at all."""
    message: str
    """What is wrong; never holds a secret's value."""
    remedy: str = ""
    """What to do about it."""

    def __str__(self) -> str:
        """One line: name, what is wrong, what to do."""
        return f"{self.name}: {self.message}" + (f" - {self.remedy}" if self.remedy else "")


class SettingsError(Exception):
    """The settings cannot be used; ``problems`` holds every mistake, not just the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Report all of ``problems``."""
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        """One line for each problem."""
        return "\n".join(str(problem) for problem in self.problems)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Suggest the closest of ``known``, or list them all when none is close."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known here: {', '.join(names)}" if names else "there are no settings here"
