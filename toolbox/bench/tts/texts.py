"""What the bench has spoken: clauses and sentences as replies on the telephone have them."""

from __future__ import annotations

import random

_OPENINGS = (
    "It is a quarter past three in the afternoon,",
    "Let me have a look at that for you.",
    "There are seven messages waiting for you,",
    "I have found two trains that leave before noon.",
    "Yes, of course, I can do that right away.",
    "The weather will be fine in the south today,",
)
_REST = (
    "and nothing else is planned until the evening.",
    "The first one is from your sister, who asks you to call her back.",
    "You will have to change once, and the second part takes an hour.",
    "Please tell me the number that is written on the back of the card.",
    "Is there anything else that I can do for you?",
    "If you like, I can read the details to you, one after the other.",
)
SENTENCES = tuple(f"{opening} {rest}" for opening in _OPENINGS for rest in _REST)


def fresh(chance: random.Random) -> list[str]:
    """A reply in two segments that nobody has said before."""
    return [f"{chance.choice(_OPENINGS)} {chance.randrange(10**6)}.", chance.choice(_REST)]


def familiar(chance: random.Random) -> list[str]:
    """A reply in two segments out of those that :func:`all_familiar` lists."""
    return [chance.choice(_OPENINGS), chance.choice(_REST)]


def all_familiar() -> list[str]:
    """Every segment of the familiar replies."""
    return [*_OPENINGS, *_REST]


def long_reply(number: int) -> list[str]:
    """A reply of minutes that nobody has said before: cancelled long before it is made."""
    return [f"This is number {number}. {' '.join(SENTENCES)}"]
