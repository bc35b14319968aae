"""The corpus: what callers do, as sound, with the truth about it.

The same seed makes the same corpus: texts, callers, pauses, onsets, noises. The voice alone is not the same to the bit,
because eSpeak NG carries the phase of its last sound into the next: ends of speech may differ by a step of 5 ms.
"""

from toolbox.bench.turn_taking.corpus.calls import (
    PURE_COUNTS,
    REAL_COUNTS,
    CallPlan,
    Counts,
    Slot,
    calls,
    make_call,
    slots,
    some,
)
from toolbox.bench.turn_taking.corpus.cases import LEAVES_FLOOR, TAKES_FLOOR, TURN_KINDS, Case, CaseKind, Echo
from toolbox.bench.turn_taking.corpus.speakers import Speaker
from toolbox.bench.turn_taking.corpus.take import Take, line_noise, written
from toolbox.bench.turn_taking.corpus.texts import Half, half_of
from toolbox.bench.turn_taking.corpus.voice import Word

__all__ = [
    "LEAVES_FLOOR",
    "PURE_COUNTS",
    "REAL_COUNTS",
    "TAKES_FLOOR",
    "TURN_KINDS",
    "CallPlan",
    "Case",
    "CaseKind",
    "Counts",
    "Echo",
    "Half",
    "Slot",
    "Speaker",
    "Take",
    "Word",
    "calls",
    "half_of",
    "line_noise",
    "make_call",
    "slots",
    "some",
    "written",
]
