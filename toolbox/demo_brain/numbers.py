"""Numbers as people say them, and sums made of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

_UNITS: Final = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS: Final = ("zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
# What recognisers write for a number where a number is expected.
_SOUND_ALIKES: Final = {"oh": 0, "won": 1, "to": 2, "too": 2, "for": 4, "fore": 4, "ate": 8}


def in_words(number: int) -> str:
    """A whole number in words, such as "minus forty-two"; beyond a million in digits."""
    if number < 0:
        return f"minus {in_words(-number)}"
    if number < 20:
        return _UNITS[number]
    if number < 100:
        tens, unit = divmod(number, 10)
        return _TENS[tens] + (f"-{_UNITS[unit]}" if unit else "")
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        return f"{_UNITS[hundreds]} hundred" + (f" and {in_words(rest)}" if rest else "")
    if number < 1_000_000:
        thousands, rest = divmod(number, 1000)
        joint = " and " if 0 < rest < 100 else " "
        return f"{in_words(thousands)} thousand" + (joint + in_words(rest) if rest else "")
    return str(number)


def quotient_in_words(dividend: int, divisor: int) -> str:
    """The quotient in words, rounded to two decimals if it is no whole number."""
    if dividend % divisor == 0:
        return in_words(dividend // divisor)
    rounded = f"{abs(dividend) / abs(divisor):.2f}"
    whole, _, decimals = rounded.partition(".")
    decimals = decimals.rstrip("0")
    about = "" if dividend * 100 % divisor == 0 else "about "
    minus = "minus " if (dividend < 0) != (divisor < 0) else ""
    point = f" point {' '.join(_UNITS[int(digit)] for digit in decimals)}" if decimals else ""
    return f"{about}{minus}{in_words(int(whole))}{point}"


def read_number(words: Sequence[str]) -> tuple[int, int] | None:
    """(value, words used) of the number that a list of lower-case words begins with: 0 to 100, or digits."""
    if not words:
        return None
    first = words[0]
    if first.isdecimal() and len(first) <= 6:
        return int(first), 1
    if first in {"a", "one"} and words[1:2] == ["hundred"]:
        return 100, 2
    if first == "hundred":
        return 100, 1
    if first in _UNITS:
        return _UNITS.index(first), 1
    if first in _TENS[2:]:
        tens = _TENS.index(first) * 10
        if len(words) > 1 and words[1] in _UNITS[1:10]:
            return tens + _UNITS.index(words[1]), 2
        return tens, 1
    if first in _SOUND_ALIKES:
        return _SOUND_ALIKES[first], 1
    return None


@dataclass(frozen=True, slots=True)
class Sum:
    """Two numbers and what is to be done with them."""

    left: int
    operation: str
    right: int

    def answer(self) -> str:
        """The result as a sentence."""
        if self.operation == "divided by":
            if self.right == 0:
                return "Nothing can be divided by zero."
            result = quotient_in_words(self.left, self.right)
        else:
            result = in_words(_OPERATIONS[self.operation](self.left, self.right))
        sentence = f"{in_words(self.left)} {self.operation} {in_words(self.right)} is {result}."
        return sentence[0].upper() + sentence[1:]


_OPERATIONS: Final[dict[str, Callable[[int, int], int]]] = {
    "plus": lambda left, right: left + right,
    "minus": lambda left, right: left - right,
    "times": lambda left, right: left * right,
}
_SAID: Final = (
    (("plus",), "plus"),
    (("and",), "plus"),
    (("minus",), "minus"),
    (("less",), "minus"),
    (("times",), "times"),
    (("multiplied", "by"), "times"),
    (("divided", "by"), "divided by"),
    (("over",), "divided by"),
)
_SIGNS: Final = {
    "+": "plus",
    "-": "minus",
    "−": "minus",
    "*": "times",
    "×": "times",
    "/": "divided by",
    "÷": "divided by",
}
_SIGN: Final = re.compile(r"(?<=[\w\s])\s*([+*×/÷−-])\s*(?=\d)")


def find_sum(text: str) -> Sum | None:
    """The first sum asked for in a sentence such as "what's 7 + 5" or "how much is twelve minus four"."""
    spelt = _SIGN.sub(lambda sign: f" {_SIGNS[sign[1]]} ", text.lower())
    words = re.findall(r"[a-z]+|\d+", spelt.replace("-", " "))
    for start in range(len(words)):
        found = _sum_at(words[start:])
        if found is not None:
            return found
    return None


def _sum_at(words: list[str]) -> Sum | None:
    left = read_number(words)
    if left is None:
        return None
    rest = words[left[1] :]
    for said, operation in _SAID:
        if tuple(rest[: len(said)]) == said:
            right = read_number(rest[len(said) :])
            return Sum(left[0], operation, right[0]) if right is not None else None
    return None
