"""Rows 60 and 76 of the catalogue of faults: calls that the caller or the line ends.

Each drives the real gateway process from outside, and ends with a call that must work.
"""

from __future__ import annotations

import asyncio

import pytest

from parley.conversation.v1 import conversation_pb2 as conv
from tests.fakes.gateway_orchestrator import HANG_GUARD_S
from tests.fakes.gateway_world import GatewayWorld, fault, new_call_sid

pytestmark = pytest.mark.process


@pytest.mark.parametrize("stage", ["listening", "speaking", "clearing", "before ready"])
def test_row_60_a_caller_who_hangs_up_ends_the_conversation_at_every_stage(world: GatewayWorld, stage: str) -> None:
    async def scenario() -> None:
        world.orchestrator.readies = stage != "before ready"
        async with world.call() as call:
            held = await world.talking(call)
            if stage in {"speaking", "clearing"}:
                held.say(1, 5.0)
                await held.playback_of(1)
            if stage == "clearing":
                held.clear(1)
            call.hang_up()
            ended = await held.expect("end")
            assert ended.reason == conv.END_REASON_CALLER_HUNG_UP
            await asyncio.wait_for(held.gone.wait(), HANG_GUARD_S)
        world.orchestrator.readies = True
        await world.no_calls()
        await world.good_call()

    world.run(scenario())


@fault
async def test_row_76_after_five_resumes_comes_an_apology(world: GatewayWorld) -> None:
    call_sid = new_call_sid()
    answer = await world.webhook(call_sid)
    for _ in range(5):
        answer = await world.resume(answer.resume_url, call_sid)
        assert answer.verbs == ["Connect", "Redirect"]
    last = await world.resume(answer.resume_url, call_sid)
    assert last.verbs == ["Say", "Hangup"]
    await world.no_calls()


@fault
async def test_row_76_a_line_that_breaks_again_and_again_is_given_up(world: GatewayWorld) -> None:
    async with world.call() as call:
        held = await world.talking(call)
        for nth in range(1, 7):
            stream = await call.connected(nth)
            assert stream.link is not None
            stream.link.drop()
        assert await call.wait_ended() == "completed"
        assert [verb.name for verb in call.verbs][-2:] == ["Say", "Hangup"]
        await held.expect("end")
