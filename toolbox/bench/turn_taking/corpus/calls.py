"""Cases dealt to calls: one caller and one line a call, classes mixed as a conversation mixes them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from toolbox.bench.turn_taking.corpus.cases import TURN_KINDS, Case, CaseKind, Echo, case
from toolbox.bench.turn_taking.corpus.speakers import Speaker, random_speaker
from toolbox.bench.turn_taking.corpus.texts import Half

Counts = Mapping[CaseKind, int]

REAL_COUNTS: Counts = {
    CaseKind.COMPLETE: 60,
    CaseKind.PAUSE_SHORT: 45,
    CaseKind.PAUSE_LONG: 45,
    CaseKind.PAUSE_CLAUSE: 40,
    CaseKind.DICTATION: 20,
    CaseKind.INTERRUPTION: 60,
    CaseKind.DOUBLE_TALK: 20,
    CaseKind.BACKCHANNEL: 40,
    CaseKind.NOISE: 40,
    CaseKind.BABBLE: 10,
    CaseKind.ECHO: 40,
}
PURE_COUNTS: Counts = dict.fromkeys(CaseKind, 600)
PER_CALL = 6
"""Cases in one call, at most."""
_OVER = (CaseKind.INTERRUPTION, CaseKind.BACKCHANNEL, CaseKind.NOISE, CaseKind.BABBLE)

Slot = tuple[CaseKind, int]
"""A class and the number of a case in it."""


@dataclass(frozen=True)
class CallPlan:
    """One call: who calls over which line, and what they do, one after another.

    ``brief`` says that the agent's replies are short ones: the caller has the floor in all of its cases.
    """

    call_id: str
    half: Half
    speaker: Speaker
    seed: int
    cases: tuple[Case, ...]
    echo: Echo | None
    brief: bool


def some(counts: Counts, share: float) -> dict[CaseKind, int]:
    """A smaller corpus of the same mixture, at least two cases of each class."""
    return {kind: max(2, round(count * share)) for kind, count in counts.items()}


def slots(counts: Counts, half: Half, seed: int, per_call: int = PER_CALL) -> list[tuple[Slot, ...]]:
    """Which cases each call of a half holds; cheap, so that the calls themselves can be made side by side."""
    dealt: list[tuple[Slot, ...]] = []
    for kinds in (TURN_KINDS, _OVER, (CaseKind.DOUBLE_TALK,), (CaseKind.ECHO,)):
        group = [(kind, index) for kind in kinds for index in range(counts.get(kind, 0))]
        random.Random(f"{seed} {half.value} {kinds[0].value}").shuffle(group)
        dealt += [tuple(group[start : start + per_call]) for start in range(0, len(group), per_call)]
    return dealt


def calls(counts: Counts, half: Half, seed: int) -> Iterator[CallPlan]:
    """Make the calls of a half, one by one; the same for the same arguments."""
    for members in slots(counts, half, seed):
        yield make_call(members, half, seed)


def make_call(members: Sequence[Slot], half: Half, seed: int) -> CallPlan:
    """Make one call with its sound; takes some 10 ms of processor time a case."""
    names = [f"{half.value}-{kind.value}-{index}" for kind, index in members]
    chance = random.Random(f"{seed} {names[0]}")
    speaker = random_speaker(chance)
    kinds = {kind for kind, _ in members}
    echo = None
    if CaseKind.ECHO in kinds:
        echo = Echo(gain_db=-chance.uniform(12.0, 25.0), delay_ms=chance.uniform(80.0, 500.0))
    elif CaseKind.DOUBLE_TALK in kinds:
        echo = Echo(gain_db=-chance.uniform(18.0, 30.0), delay_ms=chance.uniform(80.0, 300.0))
    line = chance.randrange(2**31)
    cases = tuple(case(kind, name, half, speaker, chance) for (kind, _), name in zip(members, names, strict=True))
    brief = bool(kinds & set(TURN_KINDS))
    return CallPlan(f"call-{names[0]}", half, speaker, line, cases, echo, brief)
