"""The tools of one call: what its brain is offered, and the orders that go to the line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.brain import ToolSpec
from orchestrator.tools.actions import Action, RefusalReason, SendDtmf, TakeMessage, TransferCall
from orchestrator.tools.candidate import CandidateTools
from orchestrator.tools.policy import plan
from orchestrator.tools.record import ToolRound, ToolUse
from orchestrator.tools.settings import ToolSettings
from orchestrator.tools.specs import tools_for
from parley.conversation.v1 import conversation_pb2 as conv
from servicekit.enum_names import enum_name
from servicekit.logs import get_logger

log = get_logger(__name__)

_RESULTS = {
    conv.CONTROL_STATUS_DONE: "Done.",
    conv.CONTROL_STATUS_REFUSED: "Refused by the line: it cannot be done in this call. Tell the caller.",
    conv.CONTROL_STATUS_FAILED: "It was tried and failed. Tell the caller.",
    conv.CONTROL_STATUS_CANCELLED: "Not done: another order came before.",
}
_NO_ANSWER = "It was ordered, but whether it was done is not known."


@dataclass(slots=True)
class _Ordered:
    use: ToolUse
    waiting: asyncio.Future[None] | None
    """Set where a reply waits for the result."""


class CallTools:
    """Numbers and sends a call's orders, takes their results, and keeps the candidates' tools until they are due."""

    def __init__(
        self,
        capabilities: conv.Capabilities,
        settings: ToolSettings,
        send: Callable[[conv.CallControl], None],
        *,
        last_id: int = 0,
        owed: Callable[[], None] = lambda: None,
    ) -> None:
        """``last_id`` is the highest order that the gateway has seen; ``owed`` is called when the caller must be told
        of an order that was not carried out after its reply had ended."""
        self._capabilities = capabilities
        self._settings = settings
        self._send = send
        self._owed = owed
        self._last_id = last_id
        self._candidates: dict[int, CandidateTools] = {}
        self._ordered: dict[int, _Ordered] = {}
        self.specs: tuple[ToolSpec, ...] = tools_for(capabilities, settings)
        """What the brain may call."""

    def candidate(
        self, candidate_id: int, *, hang_up: Callable[[], None], refused: Callable[[RefusalReason], None]
    ) -> CandidateTools:
        """The tools of a new candidate."""
        tools = CandidateTools(
            plan=lambda call: plan(call, self._capabilities, self._settings),
            carry_out=self._carry_out,
            hang_up=hang_up,
            refused=refused,
            max_rounds=self._settings.max_rounds,
        )
        self._candidates[candidate_id] = tools
        return tools

    def take_up(self, candidate_id: int, rounds: list[ToolRound], *, hang_up: Callable[[], None]) -> None:
        """Another process noted what this candidate wants, and died before it was heard."""
        self.candidate(candidate_id, hang_up=hang_up, refused=lambda _: None).take_up(rounds)

    def committed(self, candidate_id: int) -> list[ToolRound]:
        """The candidate is the one that is spoken; returns what the history is to keep of its tools, as it grows."""
        tools = self._candidates.get(candidate_id)
        if tools is None:
            return []
        tools.committed.set()
        return tools.rounds

    def heard(self, candidate_id: int, after_playout_id: int = 0) -> None:
        """The candidate was heard to its end: what waited for that is ordered now, except hanging up."""
        tools = self._candidates.pop(candidate_id, None)
        for noted in tools.heard() if tools is not None else ():
            self._order(noted.use, noted.action, after_playout_id)

    def dropped(self, candidate_id: int) -> None:
        """The candidate was discarded, or was not heard to its end."""
        tools = self._candidates.pop(candidate_id, None)
        if tools is not None:
            tools.dropped()

    def take_message(self, reason: str, after_playout_id: int) -> None:
        """Order that the caller may record a message, as they were offered without the brain."""
        self._last_id += 1
        control = conv.CallControl(id=self._last_id, after_playout_id=after_playout_id)
        control.take_message.reason = reason
        self._send(control)

    def hang_up(self, reason: conv.EndReason.ValueType, after_playout_id: int) -> None:
        """Order the end of the call."""
        self._last_id += 1
        hang_up = conv.HangUp(reason=reason)
        self._send(conv.CallControl(id=self._last_id, after_playout_id=after_playout_id, hang_up=hang_up))

    def result(self, result: conv.CallControlResult) -> None:
        """What became of an order."""
        if result.status in {conv.CONTROL_STATUS_REFUSED, conv.CONTROL_STATUS_FAILED}:
            status = enum_name(conv.ControlStatus, result.status, "CONTROL_STATUS_")
            log.warning("call control not carried out", status=status, id=result.id)
        ordered = self._ordered.pop(result.id, None)
        if ordered is None or result.status not in _RESULTS:
            return
        ordered.use.result = _RESULTS[result.status]
        if ordered.waiting is not None and not ordered.waiting.done():
            ordered.waiting.set_result(None)
        elif result.status != conv.CONTROL_STATUS_DONE:
            self._owed()

    async def _carry_out(self, use: ToolUse, action: Action) -> None:
        waiting = asyncio.get_running_loop().create_future()
        # A reply that is cancelled while it waits leaves the order standing: its result is still written down.
        self._order(use, action, 0, waiting)
        await asyncio.wait({waiting}, timeout=self._settings.result_within_s)
        use.result = use.result or _NO_ANSWER

    def _order(
        self, use: ToolUse, action: Action, after_playout_id: int, waiting: asyncio.Future[None] | None = None
    ) -> None:
        self._last_id += 1
        control = conv.CallControl(id=self._last_id, after_playout_id=after_playout_id)
        if isinstance(action, TransferCall):
            control.transfer.target = action.target
        elif isinstance(action, SendDtmf):
            control.send_dtmf.digits = action.digits
        elif isinstance(action, TakeMessage):
            control.take_message.reason = action.reason
        else:
            raise TypeError("hanging up is the turn engine's order")
        self._ordered[self._last_id] = _Ordered(use, waiting)
        self._send(control)
