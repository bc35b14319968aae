"""A case: one sentence of the contract, and how to find out whether a server keeps it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

P = TypeVar("P")


class BrokenError(Exception):
    """The server breaks the case's sentence: what was expected, and what came instead."""

    def __init__(self, expected: str, came: str) -> None:
        super().__init__(f"expected {expected}; came {came}")
        self.expected = expected
        self.came = came


class SkipError(Exception):
    """The case cannot be judged at this server; the message says why, and what would make it possible."""


@dataclass(frozen=True)
class Case(Generic[P]):
    """One case. ``check`` returns what is worth telling of a success, often nothing."""

    name: str
    where: str
    """What in the contract the sentence explains, such as ``SpeechToText.Recognize``."""
    sentence: str
    """The sentence, word for word as in the contract."""
    check: Callable[[P], Awaitable[str | None]]


def case(where: str, sentence: str) -> Callable[[Callable[[P], Awaitable[str | None]]], Case[P]]:
    """Make a function a case of the same name, with dashes; it takes the peer, and raises BrokenError or SkipError."""

    def made(check: Callable[[P], Awaitable[str | None]]) -> Case[P]:
        return Case(check.__name__.replace("_", "-"), where, sentence, check)

    return made
