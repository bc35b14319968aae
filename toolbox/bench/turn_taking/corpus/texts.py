"""What the callers of the corpus say: sentences of two public-domain books, and templates of telephone talk.

The books are Lewis Carroll, "Alice's Adventures in Wonderland" (1865), and Arthur Conan Doyle, "The Adventures of
Sherlock Holmes" (1892) with its neighbours of the same hand. The engine's own word lists are not looked at here: what
the engine knows about words must not decide what it is examined on.

Everything is divided into a tuning half and a reporting half by a hash of the sentence, of a template by a hash of the
template before it is filled in, so that nothing heard while tuning is reported on.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from enum import Enum

ALICE = (
    "Alice was beginning to get very tired of sitting by her sister on the bank.",
    "There was nothing so very remarkable in that.",
    "What is the use of a book without pictures or conversations?",
    "Would the fall never come to an end?",
    "I wonder how many miles I've fallen by this time?",
    "Dinah will miss me very much tonight.",
    "Do cats eat bats?",
    "I must be getting somewhere near the centre of the earth.",
    "I shall be too late.",
    "Who in the world am I?",
    "How do you like the Queen?",
    "What size do you want to be?",
    "It is a very good height indeed.",
    "We're all mad here.",
    "How do you know I'm mad?",
    "I don't much care where.",
    "Your hair wants cutting.",
    "Why is a raven like a writing desk?",
    "Take some more tea.",
    "I've had nothing yet.",
    "You ought to be ashamed of yourself.",
    "Everything's got a moral, if only you can find it.",
    "I think I should understand that better if I had it written down.",
    "I could tell you my adventures, beginning from this morning.",
    "It's no use going back to yesterday.",
    "The best way to explain it is to do it.",
    "I'm never sure what I'm going to be from one minute to another.",
    "She generally gave herself very good advice, though she very seldom followed it.",
    "There was a table set out under a tree in front of the house.",
    "The Queen of Hearts, she made some tarts, all on a summer day.",
    "Begin at the beginning, and go on till you come to the end.",
    "They were playing at cards with all their might.",
)

HOLMES = (
    "To Sherlock Holmes she is always the woman.",
    "You see, but you do not observe.",
    "The distinction is clear.",
    "It is a capital mistake to theorise before one has data.",
    "I have no data yet.",
    "It is quite a three pipe problem.",
    "This is indeed a mystery.",
    "What do you imagine that it means?",
    "There is nothing more deceptive than an obvious fact.",
    "I have seen those symptoms before.",
    "Pray take a seat.",
    "The little things are infinitely the most important.",
    "My name is Sherlock Holmes.",
    "It is my business to know what other people don't know.",
    "I am lost without my Boswell.",
    "I think that I had better go, Holmes.",
    "You have been in Afghanistan, I perceive.",
    "I was seized with a keen desire to see Holmes again.",
    "His rooms were brilliantly lit.",
    "He was pacing the room swiftly, eagerly, with his head sunk upon his chest.",
    "It was close upon four before the door opened.",
    "I rang the bell and was shown up to the chamber.",
    "There are several quiet little villages in this part of the country.",
    "I should like to see the room in which she died.",
    "You must not fear, said he, we shall soon set matters right.",
    "When did you first notice that the stone was gone?",
    "Have you ever had occasion to use the door?",
    "A man should keep his little brain attic stocked with all the furniture he is likely to use.",
    "Circumstantial evidence is a very tricky thing.",
    "The more bizarre a thing is the less mysterious it proves to be.",
)

TEMPLATES = (
    "I would like to book a table for {count} people on {day}.",
    "Can you tell me when the {place} opens on {day}?",
    "Please move my appointment from {day} to the {ordinal} of {month}.",
    "How long does it take to get to the {place} from the station?",
    "Is there a bus to the {place} in the evening?",
    "My parcel should have come on {day} but it is not here.",
    "Could you send the papers to my {relative} at the {place}?",
    "What does it cost to park near the {place} for {count} hours?",
    "I need a doctor for my {relative} this afternoon.",
    "Do you know whether the {place} has a garden at the back?",
    "Please remind me to call my {relative} on {day}.",
    "We want to stay for {count} nights with a view of the lake.",
    "The heating in the kitchen has not worked since {day}.",
    "Tell me about the weather on the coast in {month}.",
    "I lost my umbrella on the way to the {place}.",
    "What time is it?",
    "How are you today?",
    "Please cancel my order.",
    "Where can I find the {place}?",
    "Will it rain on {day}?",
)

NUMBER_TEMPLATES = (
    "My account number is {digits}.",
    "You can reach me on {digits}.",
    "The code on the letter is {digits}.",
    "It is order number {digits}.",
    "My telephone number is {digits}.",
    "The card ends in {digits}.",
    "The number on the meter is {digits}.",
    "Put it down to customer {digits}.",
)

BACKCHANNELS = (
    "Uh-huh.", "Mm-hmm.", "Yeah.", "Okay.", "Right.", "I see.", "Sure.", "Yes.",
    "Ah, okay.", "Oh.", "Good.", "Great.", "Hm.", "All right.", "Of course.", "Yeah, yeah.",
    "Uh-huh, uh-huh.", "Mm.", "Yep.", "Oh, okay.", "Mm-hmm, yeah.", "Uh-huh, right.", "Yeah, sure.", "Okay, yes.",
)  # fmt: skip

INTERRUPTIONS = (
    "Stop.",
    "Wait a moment.",
    "No, not that one.",
    "Hang on a second.",
    "Sorry, can I ask something?",
    "Actually I meant tomorrow.",
    "Excuse me.",
    "That is not what I wanted.",
    "Hold on, please.",
    "Never mind that.",
    "One question, how much is it?",
    "Let me stop you there.",
    "Can you say that again?",
    "I already know that.",
    "What about the other one?",
    "Just tell me the price.",
)

OPENINGS = ("Tell me the whole story.", "Please explain how it works.", "Read me the news.", "What should I know?")

_FILLINGS = {
    "count": ("two", "three", "four", "six", "seven"),
    "day": ("Monday", "Tuesday", "Thursday", "Friday", "Sunday"),
    "ordinal": ("second", "fifth", "ninth", "twelfth"),
    "month": ("March", "April", "June", "October"),
    "place": ("museum", "library", "harbour", "theatre", "market", "bakery"),
    "relative": ("brother", "mother", "neighbour", "daughter"),
}


class Half(Enum):
    """Which part of the corpus: one to choose settings on, one to report on."""

    TUNING = "tuning"
    REPORTING = "reporting"


def half_of(sentence: str) -> Half:
    """The half a sentence, or a template that is not filled in, belongs to."""
    return Half.TUNING if hashlib.sha256(sentence.encode()).digest()[0] % 2 else Half.REPORTING


def of_half(sentences: Sequence[str], half: Half) -> list[str]:
    """Those sentences or templates that belong to a half."""
    return [sentence for sentence in sentences if half_of(sentence) is half]


def filled(template: str, chance: random.Random) -> str:
    """A template with words in its places."""
    return template.format(**{name: chance.choice(words) for name, words in _FILLINGS.items()})


def sentences(half: Half, chance: random.Random) -> Iterator[str]:
    """Complete sentences of a half without end, books and templates in turn, shuffled anew when all were used."""
    sources = [of_half((*ALICE, *HOLMES), half), of_half(TEMPLATES, half)]
    left: list[list[str]] = [[], []]
    while True:
        for source, rest in zip(sources, left, strict=True):
            if not rest:
                rest.extend(chance.sample(source, len(source)))
            yield filled(rest.pop(), chance)
