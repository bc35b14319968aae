"""When the brain's wishes are carried out, and what becomes of them."""

from __future__ import annotations

import asyncio
from typing import Any

from orchestrator.brain import ToolCall
from orchestrator.tools import CallTools, CandidateTools, RefusalReason, ToolRound, ToolSettings
from parley.conversation.v1 import conversation_pb2 as conv
from tests.asyncs import async_test

CAPABILITIES = conv.Capabilities(transfer=True, dtmf_send=True, take_message=True)
DONE, REFUSED, FAILED = conv.CONTROL_STATUS_DONE, conv.CONTROL_STATUS_REFUSED, conv.CONTROL_STATUS_FAILED


class Line:
    """A call's tools with what they order."""

    def __init__(self, **settings: Any) -> None:
        self.orders: list[conv.CallControl] = []
        self.ordered = asyncio.Event()
        self.owed = 0
        self.hung_up = 0
        self.refusals: list[RefusalReason] = []
        values = {"transfer_targets": {"front desk": ""}, **settings}
        self.tools = CallTools(CAPABILITIES, ToolSettings(**values), self._send, last_id=4, owed=self._owe)

    def candidate(self, candidate_id: int = 1) -> CandidateTools:
        return self.tools.candidate(candidate_id, hang_up=self._hang_up, refused=self.refusals.append)

    def result(self, order: conv.CallControl, status: conv.ControlStatus.ValueType) -> None:
        self.tools.result(conv.CallControlResult(id=order.id, status=status))

    def _send(self, order: conv.CallControl) -> None:
        self.orders.append(order)
        self.ordered.set()

    def _owe(self) -> None:
        self.owed += 1

    def _hang_up(self) -> None:
        self.hung_up += 1


def transfer(target: str = "front desk", call_id: str = "t1") -> ToolCall:
    return ToolCall(call_id, "transfer_call", {"target": target})


def keys(digits: str = "12") -> ToolCall:
    return ToolCall("k1", "send_dtmf", {"digits": digits})


def results_of(rounds: list[ToolRound]) -> list[str]:
    return [use.result for each in rounds for use in each.uses]


def test_a_transfer_waits_until_what_was_said_with_it_was_heard() -> None:
    line = Line()
    candidate = line.candidate()
    candidate.take(transfer())
    assert not candidate.end_answer("I will put you through.")
    rounds = line.tools.committed(1)
    assert line.orders == []
    line.tools.heard(1, after_playout_id=7)
    assert [(o.id, o.after_playout_id, o.transfer.target) for o in line.orders] == [(5, 7, "front desk")]
    line.result(line.orders[0], DONE)
    assert results_of(rounds) == ["Done."]
    assert line.owed == 0


def test_a_transfer_of_a_reply_that_was_interrupted_does_not_happen() -> None:
    line = Line()
    candidate = line.candidate()
    candidate.take(transfer())
    candidate.end_answer("I will put you through.")
    rounds = line.tools.committed(1)
    line.tools.dropped(1)
    line.tools.heard(1)
    assert line.orders == []
    assert results_of(rounds)[0].startswith("Not done")


def test_a_transfer_that_fails_is_owed_to_the_caller() -> None:
    line = Line()
    candidate = line.candidate()
    candidate.take(transfer())
    candidate.end_answer("")
    rounds = line.tools.committed(1)
    line.tools.heard(1)
    line.result(line.orders[0], FAILED)
    assert line.owed == 1
    assert "failed" in results_of(rounds)[0]


def test_a_refused_wish_is_told_to_the_brain_at_once() -> None:
    line = Line()
    candidate = line.candidate()
    candidate.take(transfer("+1 900 555 0100"))
    assert candidate.end_answer("")
    assert line.refusals == [RefusalReason.NOT_ALLOWED]
    assert "never to a number" in results_of(candidate.rounds)[0]


def test_the_call_is_given_away_once_only() -> None:
    line = Line()
    candidate = line.candidate()
    candidate.take(transfer())
    candidate.take(ToolCall("e1", "end_call", {}))
    assert not candidate.end_answer("Goodbye.")
    line.tools.heard(1)
    assert [order.WhichOneof("action") for order in line.orders] == ["transfer"]
    assert line.hung_up == 0


def test_hanging_up_is_left_to_the_turn_engine_and_numbered_with_the_rest() -> None:
    line = Line()
    candidate = line.candidate()
    candidate.take(ToolCall("e1", "end_call", {}))
    candidate.end_answer("Goodbye.")
    line.tools.heard(1)
    assert (line.hung_up, line.orders) == (1, [])
    line.tools.hang_up(conv.END_REASON_AGENT_HUNG_UP, 3)
    assert [(o.id, o.after_playout_id, o.WhichOneof("action")) for o in line.orders] == [(5, 3, "hang_up")]


@async_test
async def test_keys_are_pressed_only_when_the_reply_is_committed_and_their_result_comes_back() -> None:
    line = Line()
    candidate = line.candidate()
    candidate.take(keys())
    assert candidate.end_answer("")
    waiting = asyncio.create_task(candidate.results())
    await asyncio.sleep(0)
    assert line.orders == [], "speculation acts on nothing"
    line.tools.committed(1)
    await line.ordered.wait()
    assert line.orders[0].send_dtmf.digits == "12"
    line.result(line.orders[0], DONE)
    told = await waiting
    assert [use.result for use in told.uses] == ["Done."]
    assert told.uses[0].told


@async_test
async def test_a_result_that_comes_after_an_interruption_is_kept() -> None:
    line = Line()
    candidate = line.candidate()
    candidate.take(keys())
    candidate.end_answer("")
    rounds = line.tools.committed(1)
    waiting = asyncio.create_task(candidate.results())
    await line.ordered.wait()
    waiting.cancel()
    line.tools.dropped(1)
    line.result(line.orders[0], DONE)
    assert results_of(rounds) == ["Done."]
    assert rounds[0].carried_out


@async_test
async def test_a_line_that_never_answers_does_not_hold_the_reply_up() -> None:
    line = Line(result_within_s=0.01)
    candidate = line.candidate()
    candidate.take(keys())
    candidate.end_answer("")
    line.tools.committed(1)
    told = await candidate.results()
    assert "not known" in told.uses[0].result


def test_keys_behind_words_wait_until_the_words_were_heard() -> None:
    line = Line()
    candidate = line.candidate()
    candidate.take(keys())
    assert not candidate.end_answer("One moment, I choose the menu.")
    line.tools.committed(1)
    line.tools.heard(1, 2)
    assert [(o.after_playout_id, o.send_dtmf.digits) for o in line.orders] == [(2, "12")]


def test_calls_that_an_endpoint_numbers_afresh_are_told_apart() -> None:
    line = Line()
    candidate = line.candidate()
    for _ in range(2):
        candidate.take(transfer("nobody"))
        candidate.end_answer("")
    ids = [use.call.id for each in candidate.rounds for use in each.uses]
    assert len(set(ids)) == 2


def test_a_result_of_an_order_that_nobody_gave_is_ignored() -> None:
    line = Line()
    line.tools.result(conv.CallControlResult(id=99, status=REFUSED))
    assert line.owed == 0
