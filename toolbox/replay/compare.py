"""What would have been different: the turns of two stories of one call, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.engine import Outcome, Speculation
from toolbox.bench.distribution import distribution
from toolbox.replay.story import Story, TurnStory

# Two turns are the same stretch of the caller's speech when they begin within this time of one another.
_SAME_BEGINNING_MS = 400.0
_SAME_MS = 1.0


@dataclass(frozen=True)
class TurnChange:
    """A turn as recorded and as replayed; one of them is None where it has no counterpart."""

    recorded: TurnStory | None
    replayed: TurnStory | None

    @property
    def commit_delta_ms(self) -> float | None:
        """How much later the turn was the agent's; None where it was not in both."""
        return _delta(*(turn.committed_at if turn else None for turn in (self.recorded, self.replayed)))

    @property
    def response_delta_ms(self) -> float | None:
        """How much longer the caller waited for the reply; None where there was none in one of them."""
        return _delta(*(turn.response_ms if turn else None for turn in (self.recorded, self.replayed)))

    @property
    def certainty(self) -> str:
        """``known``; ``estimated`` where the recorded call holds no answer to something that was asked."""
        return "estimated" if self.replayed is not None and self.replayed.notes else "known"

    @property
    def what(self) -> str:
        """What differs, in a few words; empty for nothing."""
        before, after = self.recorded, self.replayed
        if before is None or after is None:
            return "not in the recorded call" if before is None else "is no turn any more"
        found = []
        if before.outcome is not after.outcome:
            found.append(f"{_outcome(before)} → {_outcome(after)}")
        if (before.committed_at is None) != (after.committed_at is None):
            found.append("is answered" if before.committed_at is None else "is not answered")
        if bool(before.joins) != bool(after.joins):
            found.append("had been cut off before" if after.joins else "no longer cut off before")
        if before.speculation is not after.speculation:
            found.append(f"speculation {before.speculation.value} → {after.speculation.value}")
        if before.pauses != after.pauses:
            found.append(f"{before.pauses} → {after.pauses} pauses")
        delta = self.commit_delta_ms
        if delta is not None and abs(delta) >= _SAME_MS:
            found.append("earlier" if delta < 0 else "later")
        return ", ".join(found)


def _delta(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def _outcome(turn: TurnStory) -> str:
    return turn.outcome.value if turn.outcome is not None else "open"


def pair(recorded: Story, replayed: Story) -> list[TurnChange]:
    """The turns of both, in the order of time, those paired that are about the same speech."""
    waiting = sorted(replayed.turns.values(), key=lambda turn: turn.began_at)
    pairs = []
    for before in sorted(recorded.turns.values(), key=lambda turn: turn.began_at):
        near = [turn for turn in waiting if abs(turn.began_at - before.began_at) <= _SAME_BEGINNING_MS]
        after = min(near, key=lambda turn: abs(turn.began_at - before.began_at), default=None)
        if after is not None:
            waiting.remove(after)
        pairs.append(TurnChange(before, after))
    pairs += [TurnChange(None, after) for after in waiting]
    return sorted(pairs, key=lambda one: (one.recorded or one.replayed or TurnStory(0, 0.0)).began_at)


def totals(story: Story) -> dict[str, Any]:
    """A call in figures."""
    turns = list(story.turns.values())
    responses = [turn.response_ms for turn in turns if turn.response_ms is not None]
    endpoints = [turn.endpoint_ms for turn in turns if turn.endpoint_ms is not None]
    return {
        "turns": len(turns),
        "committed": sum(turn.committed_at is not None for turn in turns),
        "cut_offs": len(story.reopened),
        "outcomes": {outcome.value: len(story.with_outcome(outcome)) for outcome in Outcome},
        "pauses": sum(turn.pauses for turn in turns),
        "resumed": story.resumed,
        "speculation": {one.value: sum(turn.speculation is one for turn in turns) for one in Speculation},
        "replies_started": sum(turn.candidates for turn in turns),
        "endpoint_ms": distribution(endpoints),
        "response_ms": distribution(responses),
    }


def added(many: Sequence[Story]) -> dict[str, Any]:
    """Several calls in figures, as if they were one."""
    whole = Story()
    for number, story in enumerate(many):
        whole.turns.update({number * 1_000_000 + turn_id: turn for turn_id, turn in story.turns.items()})
        whole.playouts.update({number * 1_000_000 + one: each for one, each in story.playouts.items()})
    return totals(whole)


def agreement(pairs: Sequence[TurnChange]) -> dict[str, Any]:
    """How well a replay with the recorded settings matches the recorded call: what its estimates are worth."""
    deltas = [abs(one.commit_delta_ms) for one in pairs if one.commit_delta_ms is not None]
    same = sum(
        one.recorded is not None and one.replayed is not None and one.recorded.outcome is one.replayed.outcome
        for one in pairs
    )
    return {"turns": len(pairs), "same_outcome": same, "commit_off_ms": distribution(deltas)}
