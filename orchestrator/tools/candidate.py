"""The tools of one candidate reply: noted as the brain calls them, carried out when that is due."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count

from orchestrator.brain import ToolCall
from orchestrator.tools.actions import Action, EndCall, Refusal, RefusalReason, leaves_the_call
from orchestrator.tools.record import ToolRound, ToolUse
from servicekit.logs import get_logger

log = get_logger(__name__)

_ORDERED = "It was ordered."
_DROPPED = "Not done: the answer it belonged to was not heard to its end."


@dataclass(slots=True)
class Noted:
    """An action that waits for the candidate to be heard."""

    use: ToolUse
    action: Action


@dataclass(slots=True)
class CandidateTools:
    """Tool calls of one candidate. Nothing is carried out before the candidate is committed."""

    plan: Callable[[ToolCall], Action | Refusal]
    carry_out: Callable[[ToolUse, Action], Awaitable[None]]
    """Order it from the line and wait, within bounds, for the result, which it writes into the use."""
    hang_up: Callable[[], None]
    """Called when the call is to end once this candidate was heard."""
    refused: Callable[[RefusalReason], None]
    max_rounds: int
    rounds: list[ToolRound] = field(default_factory=list)
    """What the history keeps of them; grows while the brain is asked."""
    committed: asyncio.Event = field(default_factory=asyncio.Event)
    _open: list[ToolUse] = field(default_factory=list)
    """Of the answer that is being read."""
    _at_once: list[Noted] = field(default_factory=list)
    _when_heard: list[Noted] = field(default_factory=list)
    _numbers: count[int] = field(default_factory=lambda: count(1))
    _ids: set[str] = field(default_factory=set)
    _again: bool = False

    def take(self, call: ToolCall) -> None:
        """The brain calls a tool."""
        # Some endpoints number the calls of each answer afresh; within a conversation an id must stand for one call.
        while call.id in self._ids:
            call = ToolCall(f"{call.id}_{next(self._numbers)}", call.name, call.arguments)
        self._ids.add(call.id)
        use = ToolUse(call)
        self._open.append(use)
        planned = self.plan(call)
        if not isinstance(planned, Refusal) and leaves_the_call(planned) and self._when_heard_leaves():
            planned = Refusal(RefusalReason.ONE_ENDING, "Refused: the call was given away in this answer already.")
        if isinstance(planned, Refusal):
            use.result = planned.told
            log.warning("tool refused", reason=planned.reason.value)
            self.refused(planned.reason)
            # Where the agent leaves the call anyway there is nothing to talk about.
            self._again = self._again or planned.reason is not RefusalReason.ONE_ENDING
        elif leaves_the_call(planned):
            self._when_heard.append(Noted(use, planned))
            if isinstance(planned, EndCall):
                self.hang_up()
        else:
            self._at_once.append(Noted(use, planned))

    def take_up(self, rounds: list[ToolRound]) -> None:
        """Go on for another process, which noted these and carried out those of which something is known."""
        self.rounds = rounds
        for use in (use for tool_round in rounds for use in tool_round.uses if not use.result):
            planned = self.plan(use.call)
            if isinstance(planned, Refusal):
                use.result = planned.told
                continue
            self._when_heard.append(Noted(use, planned))
            if isinstance(planned, EndCall):
                self.hang_up()

    def end_answer(self, said: str) -> bool:
        """The answer is whole, ``said`` being its words. True when the brain is to be asked again with the results."""
        if not self._open:
            return False
        self.rounds.append(ToolRound(said, self._open))
        self._open = []
        if said.strip():
            # The keys would sound into the words: they wait, and the brain learns of the result with the next turn.
            self._when_heard.extend(self._at_once)
            self._at_once = []
        again = bool(self._at_once) or (self._again and not self._when_heard_leaves())
        self._again = False
        return again

    async def results(self) -> ToolRound:
        """Carry out what the last answer wants at once, and give that answer with all results that are known.

        Waits until the candidate is committed if there is something to carry out.
        """
        due, self._at_once = self._at_once, []
        if due:
            await self.committed.wait()
        for noted in due:
            await self.carry_out(noted.use, noted.action)
        last = self.rounds[-1]
        for use in last.uses:
            use.told = bool(use.result)
        return last

    def heard(self) -> list[Noted]:
        """The candidate was heard to its end: what is to be carried out now. The caller of this sees to hanging up."""
        due, self._when_heard = self._when_heard, []
        for noted in due:
            noted.use.result = _ORDERED
        return [noted for noted in due if not isinstance(noted.action, EndCall)]

    def dropped(self) -> None:
        """The candidate was not heard to its end: what waited for that is not done."""
        for noted in [*self._when_heard, *self._at_once]:
            noted.use.result = _DROPPED
        self._when_heard, self._at_once = [], []

    def _when_heard_leaves(self) -> bool:
        return any(leaves_the_call(noted.action) for noted in self._when_heard)
