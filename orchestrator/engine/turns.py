"""The turns of a call: their numbers, and that each has exactly one outcome."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.engine.actions import Outcome, ReportTurn, Speculation, TurnState


@dataclass(slots=True)
class Ids:
    """Highest numbers used so far; a resumed call starts above all that were ever seen."""

    turn: int = 0
    candidate: int = 0
    playout: int = 0

    def next_turn(self) -> int:
        """A new turn's number."""
        self.turn += 1
        return self.turn

    def next_candidate(self) -> int:
        """A new candidate's number."""
        self.candidate += 1
        return self.candidate

    def next_playout(self) -> int:
        """A new playout's number."""
        self.playout += 1
        return self.playout


@dataclass(slots=True)
class Turn:
    """One exchange."""

    turn_id: int
    state: TurnState = TurnState.LISTENING
    joins: int = 0
    joined_text: str = ""
    """What the caller had said in the turn it joins."""
    text: str = ""
    """What is being answered."""
    candidate_id: int = 0
    candidate_text: str = ""
    speculation: Speculation = Speculation.NONE
    wasted: int = 0
    """Early replies that were thrown away."""
    eos_ms: float | None = None
    """Where the caller's speech ended, media time, once it was committed."""


@dataclass(slots=True)
class Turns:
    """The turns that have not ended."""

    open: dict[int, Turn] = field(default_factory=dict)

    def begin(self, turn_id: int) -> ReportTurn:
        """Open a turn."""
        self.open[turn_id] = Turn(turn_id)
        return self._report(self.open[turn_id])

    def enter(self, turn: Turn, state: TurnState) -> list[ReportTurn]:
        """Move an open turn to a state; nothing is reported when it is there already."""
        if turn.state is state:
            return []
        turn.state = state
        return [self._report(turn)]

    def report(self, turn: Turn) -> ReportTurn:
        """Tell again where a turn stands, because something else about it changed."""
        return self._report(turn)

    def end(self, turn_id: int, outcome: Outcome) -> list[ReportTurn]:
        """End a turn, if it is still open: the one place where a turn gets its outcome."""
        turn = self.open.pop(turn_id, None)
        if turn is None:
            return []
        turn.state = TurnState.ENDED
        return [self._report(turn, outcome)]

    @staticmethod
    def _report(turn: Turn, outcome: Outcome | None = None) -> ReportTurn:
        return ReportTurn(
            turn.turn_id, turn.state, turn.candidate_id, turn.joins, outcome, turn.speculation, turn.wasted
        )
