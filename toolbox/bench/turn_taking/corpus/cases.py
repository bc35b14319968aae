"""The cases of the corpus, class by class. A case is one thing that a caller does."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from toolbox.bench.turn_taking.corpus.noises import NOISES, babble, noise_of
from toolbox.bench.turn_taking.corpus.places import Piece, dictated, split_unfinished, whole
from toolbox.bench.turn_taking.corpus.speakers import Speaker
from toolbox.bench.turn_taking.corpus.take import LEAD_MS, Take, noise_take, spoken_take
from toolbox.bench.turn_taking.corpus.texts import (
    BACKCHANNELS,
    INTERRUPTIONS,
    NUMBER_TEMPLATES,
    OPENINGS,
    Half,
    of_half,
    sentences,
)
from toolbox.bench.turn_taking.corpus.voice import Word


class CaseKind(Enum):
    """The classes of the corpus."""

    COMPLETE = "complete"
    PAUSE_SHORT = "pause_short"
    PAUSE_LONG = "pause_long"
    PAUSE_CLAUSE = "pause_clause"
    DICTATION = "dictation"
    INTERRUPTION = "interruption"
    DOUBLE_TALK = "double_talk"
    BACKCHANNEL = "backchannel"
    NOISE = "noise"
    BABBLE = "babble"
    ECHO = "echo"


TURN_KINDS = (
    CaseKind.COMPLETE,
    CaseKind.PAUSE_SHORT,
    CaseKind.PAUSE_LONG,
    CaseKind.PAUSE_CLAUSE,
    CaseKind.DICTATION,
)
"""The caller has the floor."""
TAKES_FLOOR = (CaseKind.INTERRUPTION, CaseKind.DOUBLE_TALK)
"""The agent speaks, and should stop."""
LEAVES_FLOOR = (CaseKind.BACKCHANNEL, CaseKind.NOISE, CaseKind.BABBLE, CaseKind.ECHO)
"""The agent speaks, and should go on."""


@dataclass(frozen=True)
class Echo:
    """How a line gives the agent's sound back to it."""

    gain_db: float
    delay_ms: float


@dataclass(frozen=True)
class Case:
    """One case.

    ``opening`` is asked first where the case happens while the agent speaks; the take's own sound then begins
    ``onset_ms`` after the reply's. An echo has no take: the line makes it.
    """

    case_id: str
    kind: CaseKind
    detail: str
    take: Take | None
    opening: Take | None = None
    onset_ms: float = 0.0


def case(kind: CaseKind, case_id: str, half: Half, speaker: Speaker, chance: random.Random) -> Case:
    """Make one case of a class for a caller."""
    seed = chance.randrange(2**31)
    if kind in TURN_KINDS:
        detail, take = _TURNS[kind](half, speaker, chance, seed)
        return Case(case_id, kind, detail, take)
    opening = spoken_take([whole(chance.choice(OPENINGS))], (), speaker, seed + 1)
    if kind is CaseKind.ECHO:
        return Case(case_id, kind, "echo", None, opening)
    detail, take = _OVERS[kind](half, speaker, chance, seed)
    return Case(case_id, kind, detail, take, opening, onset_ms=chance.uniform(1200.0, 4000.0))


Made = tuple[str, Take]
Maker = Callable[[Half, Speaker, random.Random, int], Made]


def _complete(half: Half, speaker: Speaker, chance: random.Random, seed: int) -> Made:
    return "sentence", spoken_take([whole(next(_sentences(half, chance)))], (), speaker, seed)


def _paused(low_ms: float, high_ms: float) -> Maker:
    def make(half: Half, speaker: Speaker, chance: random.Random, seed: int) -> Made:
        gap = chance.uniform(low_ms, high_ms)
        if chance.random() < 0.2:
            pieces = _inside_number(half, chance)
            return "number", spoken_take(pieces, [gap], speaker, seed)
        for sentence in _sentences(half, chance):
            if (found := split_unfinished(sentence, chance)) is not None:
                return found[0], spoken_take(found[1], [gap], speaker, seed)
        raise AssertionError("the sentences never end")

    return make


def _inside_number(half: Half, chance: random.Random) -> list[Piece]:
    """A number broken once, inside a group, so that anybody can tell that it goes on."""
    first, second = dictated(chance.choice(of_half(NUMBER_TEMPLATES, half)), chance)[:2]
    cut = len(second.spoken.split()) // 2
    words = second.spoken.split()
    digits = second.written[0]
    head = Piece(f"{first.spoken} {' '.join(words[:cut])}", (*first.written, digits[:cut], *[""] * (cut - 1)))
    tail = Piece(" ".join(words[cut:]), (digits[cut:], *[""] * (len(words) - cut - 1)), ".")
    return [head, tail]


def _clause(half: Half, speaker: Speaker, chance: random.Random, seed: int) -> Made:
    said = _sentences(half, chance)
    pieces = [whole(next(said)), whole(next(said))]
    return "sentence", spoken_take(pieces, [chance.uniform(300.0, 1200.0)], speaker, seed)


def _dictation(half: Half, speaker: Speaker, chance: random.Random, seed: int) -> Made:
    pieces = dictated(chance.choice(of_half(NUMBER_TEMPLATES, half)), chance)
    gaps = [chance.uniform(250.0, 700.0) for _ in pieces[1:]]
    return f"{len(pieces)} groups", spoken_take(pieces, gaps, speaker, seed)


def _interruption(half: Half, speaker: Speaker, chance: random.Random, seed: int) -> Made:
    if chance.random() < 0.5:
        return "words", spoken_take([whole(chance.choice(of_half(INTERRUPTIONS, half)))], (), speaker, seed)
    return "sentence", spoken_take([whole(next(_sentences(half, chance)))], (), speaker, seed)


def _backchannel(half: Half, speaker: Speaker, chance: random.Random, seed: int) -> Made:
    text = chance.choice(of_half(BACKCHANNELS, half))
    return text.rstrip(".").lower(), spoken_take([whole(text)], (), speaker, seed)


def _noise(half: Half, speaker: Speaker, chance: random.Random, seed: int) -> Made:
    kind = chance.choice(NOISES)
    # From beside the telephone to as loud as the caller.
    level = speaker.level_dbfs - chance.uniform(0.0, 15.0)
    return kind, noise_take(noise_of(kind, level, chance), (), speaker, seed)


def _babble(half: Half, speaker: Speaker, chance: random.Random, seed: int) -> Made:
    samples = babble(half, speaker.level_dbfs - chance.uniform(6.0, 18.0), chance)
    # What a recogniser makes of three people at once is a few words of one of them.
    heard = next(_sentences(half, chance)).rstrip(".?!").split()[:4]
    step = samples.size / 8.0 / (len(heard) + 1)
    words = tuple(Word(text, LEAD_MS + step * n, LEAD_MS + step * (n + 1)) for n, text in enumerate(heard, 1))
    return "babble", noise_take(samples, words, speaker, seed)


def _sentences(half: Half, chance: random.Random) -> Iterator[str]:
    """Sentences in an order of its own for each case."""
    endless = sentences(half, chance)
    if chance.random() < 0.5:
        next(endless)
    return endless


_TURNS: dict[CaseKind, Maker] = {
    CaseKind.COMPLETE: _complete,
    CaseKind.PAUSE_SHORT: _paused(300.0, 600.0),
    CaseKind.PAUSE_LONG: _paused(600.0, 1200.0),
    CaseKind.PAUSE_CLAUSE: _clause,
    CaseKind.DICTATION: _dictation,
}
_OVERS: dict[CaseKind, Maker] = {
    CaseKind.INTERRUPTION: _interruption,
    CaseKind.DOUBLE_TALK: lambda half, speaker, chance, seed: (
        "sentence",
        spoken_take([whole(next(_sentences(half, chance)))], (), speaker, seed),
    ),
    CaseKind.BACKCHANNEL: _backchannel,
    CaseKind.NOISE: _noise,
    CaseKind.BABBLE: _babble,
}
