"""What of one utterance is settled, what is agreed and where its audio can be cut."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from stt_service.engines.agreement import LocalAgreement
from stt_service.engines.whisper.words import Piece


class Hypothesis:
    """The growing text of an utterance.

    Its settled beginning is never decoded again: its audio is gone. What follows is a hypothesis that each decode
    renews and of which LocalAgreement-2 says how much is stable.
    """

    def __init__(self) -> None:
        self._settled: list[Piece] = []
        self._agreement = LocalAgreement(between="")

    @property
    def settled(self) -> tuple[Piece, ...]:
        """The settled pieces; their times count from the utterance's start."""
        return tuple(self._settled)

    def add(self, pieces: Sequence[Piece]) -> tuple[str, str]:
        """Take a new hypothesis of all that is not settled; return the stable text so far and the unstable one."""
        stable, unstable = self._agreement.add([piece.text for piece in pieces])
        stable = joined(self._settled) + stable
        return stable.lstrip(), unstable if stable.strip() else unstable.lstrip()

    def settle(
        self, pieces: Sequence[Piece], *, start_s: float, length_s: float, unagreed: bool = False
    ) -> float | None:
        """Settle a beginning of the newest hypothesis and say where in its audio to cut; None when it cannot be.

        The cut is a boundary between two agreed words, in the later half of these the one with the longest pause:
        there nothing is cut in two.

        Args:
            pieces: The hypothesis, with times.
            start_s: Where its audio begins in the utterance.
            length_s: How much audio that is.
            unagreed: Whether to take the whole hypothesis for agreed, because it cannot be waited for any longer.
        """
        stable = self._agreement.stable
        agreed = len(pieces) if unagreed else len(stable)
        if not unagreed and tuple(piece.text for piece in pieces[:agreed]) != stable:
            return None
        later = range(max(1, agreed // 2), min(agreed, len(pieces) - 1) + 1)
        possible = [
            number
            for number in later
            # Times at the edges are guesses, and a full stop belongs to the word before it.
            if not pieces[number].is_punctuation and 0.0 < pieces[number].start_s < length_s
        ]
        if not possible:
            return None
        cut = max(possible, key=lambda number: (pieces[number].start_s - pieces[number - 1].end_s, number))
        at_s = (pieces[cut - 1].end_s + pieces[cut].start_s) / 2
        self._settled += shifted(pieces[:cut], start_s)
        self._agreement.forget(cut)
        return at_s


def joined(pieces: Sequence[Piece]) -> str:
    """The text of pieces, which bring their own spaces."""
    return "".join(piece.text for piece in pieces)


def shifted(pieces: Sequence[Piece], by_s: float) -> list[Piece]:
    """Pieces with their times moved."""
    return [dataclasses.replace(piece, start_s=piece.start_s + by_s, end_s=piece.end_s + by_s) for piece in pieces]
