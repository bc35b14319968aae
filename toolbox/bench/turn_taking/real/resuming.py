"""Where a reply goes on after a `clear`: is anything of it lost, or said twice?

A tail is read from the same synthesised sound as what it continues, so it is found by its very bytes in what had been
sent, played or not. That gives to the sample how much the caller had heard and where the agent went on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from toolbox.bench.turn_taking.observation import Resumption
from toolbox.bench.turn_taking.replies import SpokenReply
from toolbox.phone.heard import ClearArrival, MediaArrival

_RATE_KHZ = 8.0
# Behind the fade with which a tail begins.
_SKIPPED = 320
_FINGERPRINT = 800
# Word starts of the reply are known to within this.
_TOLERANCE_MS = 80.0


@dataclass
class _Run:
    """Sound without a `clear` in it: all that was sent, and how much of that was heard."""

    sound: bytearray
    begins: int
    heard: int = 0
    offset: int = 0
    """Where in its reply it begins, in samples."""


def resumptions(
    media: Sequence[MediaArrival],
    clears: Sequence[ClearArrival],
    reply: SpokenReply,
    *,
    from_at: float,
    until_at: float,
) -> list[Resumption]:
    """Every place where the reply that begins at ``from_at`` went on after a `clear`; times are the phone's clock."""
    runs = _runs(
        [one for one in media if from_at - 1e-6 <= one.at <= until_at],
        [one for one in clears if from_at <= one.at <= until_at],
    )
    found: list[Resumption] = []
    for before, after in pairwise(runs):
        place = _place(before, after)
        if place is None:
            return found
        after.offset = before.offset + place
        found.append(_resumption(before.offset + before.heard, after.offset, reply))
    return found


def _runs(media: Sequence[MediaArrival], clears: Sequence[ClearArrival]) -> list[_Run]:
    runs: list[_Run] = []
    left = list(clears)
    fresh = True
    for arrival in media:
        while left and left[0].at <= arrival.at:
            _cut(runs, left.pop(0))
            fresh = True
        if fresh:
            runs.append(_Run(bytearray(), arrival.start))
            fresh = False
        runs[-1].sound += arrival.payload
        runs[-1].heard = len(runs[-1].sound)
    for clear in left:
        _cut(runs, clear)
    return runs


def _cut(runs: list[_Run], clear: ClearArrival) -> None:
    if runs:
        runs[-1].heard = min(runs[-1].heard, max(0, clear.position - runs[-1].begins))


def _place(before: _Run, after: _Run) -> int | None:
    """Where in ``before`` the tail begins, in samples; None where it is another reply."""
    print_ = bytes(after.sound[_SKIPPED : _SKIPPED + _FINGERPRINT])
    if len(print_) < _FINGERPRINT:
        return None
    place = before.sound.find(print_)
    if place >= 0:
        return place - _SKIPPED
    # Little had been sent: the tail goes on beyond it. Its own beginning is the end of what was sent.
    head = bytes(before.sound[-_FINGERPRINT // 2 :])
    place = after.sound.find(head)
    return len(before.sound) - len(head) - place if place >= 0 and head else None


def _resumption(heard: int, begins: int, reply: SpokenReply) -> Resumption:
    heard_ms, begins_ms = heard / _RATE_KHZ, begins / _RATE_KHZ
    starts = (*reply.word_starts_ms, reply.length_ms)
    words = list(pairwise(starts))
    lost = sum(1 for start, end in words if heard_ms < (start + end) / 2 < begins_ms)
    again = sum(1 for start, end in words if begins_ms <= start + _TOLERANCE_MS and end + _TOLERANCE_MS <= heard_ms)
    return Resumption(repeated_ms=heard_ms - begins_ms, words_lost=lost, words_repeated=again)
