"""What the agent says in the bench: a short reply where the caller has the floor, a long one to be talked over."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from servicekit.audio import resample
from toolbox.bench.turn_taking.corpus.voice import RATE_HZ, audible_span
from toolbox.phone import speak
from toolbox.phone.line import band_limit

GREETING = "Hello."
"""Short, so that few lines give back enough of it to be taken for a caller."""
BRIEF = "Here is what I found for you."
LONG = (
    "Here is what I have found for you, and it takes a moment to tell. "
    "The first part is about the weather, which will be fine and warm in the south. "
    "The second part is about the roads, and they are busy in the afternoon."
)
AGENT_VOICE = "en-us"
_GAP_MS = 120.0


@dataclass(frozen=True)
class SpokenReply:
    """The agent's reply as sound: float32 ``[n]`` at 8 kHz, and where each of its words begins, in ms."""

    text: str
    samples: NDArray[np.float32]
    word_starts_ms: tuple[float, ...]

    @property
    def length_ms(self) -> float:
        """How long it sounds."""
        return self.samples.size * 1000.0 / RATE_HZ

    def resume_ms(self, heard_ms: float) -> float:
        """Where a tail begins when so much was heard: the last word that was not heard to its end."""
        return max((start for start in self.word_starts_ms if start <= heard_ms), default=0.0)

    def said(self, heard_ms: float, characters: int = 200) -> str:
        """The end of what was heard by then."""
        words = self.text.split()
        heard = sum(1 for start in self.word_starts_ms if start < heard_ms)
        return " ".join(words[:heard])[-characters:]

    def coming(self, heard_ms: float, characters: int = 60) -> str:
        """The beginning of what follows."""
        words = self.text.split()
        heard = sum(1 for start in self.word_starts_ms if start < heard_ms)
        return " ".join(words[heard:])[:characters]

    def words_between(self, from_ms: float, to_ms: float) -> str:
        """The words that begin within a stretch of it."""
        pairs = zip(self.text.split(), self.word_starts_ms, strict=True)
        return " ".join(word for word, start in pairs if from_ms <= start < to_ms)


@functools.cache
def spoken_reply(text: str) -> SpokenReply:
    """Speak a reply, sentence by sentence, words timed in proportion to their characters."""
    sentences = [part.strip() + "." for part in text.split(".") if part.strip()]
    sounds: list[NDArray[np.float32]] = []
    starts: list[float] = []
    at = 0.0
    for sentence in sentences:
        samples, rate_hz = speak(sentence, AGENT_VOICE, rate_wpm=165)
        voice = band_limit(resample(samples, rate_hz, RATE_HZ))
        first, last = audible_span(voice)
        voice = voice[first:last]
        length = voice.size * 1000.0 / RATE_HZ
        sizes = [len(word) + 1 for word in sentence.split()]
        starts += [at + length * before / sum(sizes) for before in accumulate([0, *sizes[:-1]])]
        sounds += [voice, np.zeros(round(_GAP_MS * RATE_HZ / 1000), np.float32)]
        at += length + _GAP_MS
    return SpokenReply(text, np.concatenate(sounds[:-1]).astype(np.float32), tuple(starts))
