"""A call that outlives the process that held it."""

from __future__ import annotations

import asyncio

import pytest

from parley.conversation.v1 import conversation_pb2 as conv
from tests.asyncs import async_test
from tests.fakes.orchestrator_brain import FakeBrain
from tests.fakes.orchestrator_gateway import FakeGateway, conversations, start_of
from tests.fakes.orchestrator_stt import FakeStt

STORY = (
    "Once upon a time there was a fox who lived in a wood. Every day the fox went down to the river to drink. "
    "One day the river was gone."
)


def resumed(call: FakeGateway, checkpoints: int | None = None) -> conv.Start:
    """The `start` with which the call goes to another server, of whose checkpoints the first so many had come."""
    start = start_of()
    start.resume.CopyFrom(call.resumption(checkpoints))
    return start


@async_test
async def test_the_successor_remembers_what_was_said() -> None:
    brain = FakeBrain(("It is noon.",), ("You asked for the time.",))
    async with conversations(brain, FakeStt(["what time is it", "what did i ask"])) as service:
        async with service.call() as call:
            await call.answer_greeting()
            await call.ask()
            await call.turn(1, conv.TURN_STATE_ENDED)
            start = resumed(call)
        await service.slots.wait_idle()
        async with service.call(start) as call:
            ready = await call.until(lambda e: e.HasField("ready"))
            await call.be_silent(500)
            await call.ask()
            ended = await call.turn(2, conv.TURN_STATE_ENDED)
            await call.hang_up()
            assert ready.ready.resumed
            assert ended.outcome == conv.TURN_OUTCOME_COMPLETED
            assert "greeting" not in call.spoken()
    told = [m.content for m in brain.requests[1].messages]
    assert told == ["Hello! How can I help you?", "what time is it", "It is noon.", "what did i ask"]


@pytest.mark.parametrize("written_known", [True, False])
@async_test
async def test_a_reply_heard_after_the_last_checkpoint_that_came_is_remembered(written_known: bool) -> None:
    brain = FakeBrain(("It is noon.",), ("You asked for the time.",))
    async with conversations(brain, FakeStt(["what time is it", "what did i ask"])) as service:
        async with service.call() as call:
            await call.answer_greeting()
            await call.ask()
            await call.turn(1, conv.TURN_STATE_ENDED)
            states = [e.checkpoint.state for e in call.events if e.HasField("checkpoint")]
            wanted = b'"written":"It is noon."' if written_known else b"what time is it"
            start = resumed(call, checkpoints=next(i for i, state in enumerate(states, 1) if wanted in state))
        await service.slots.wait_idle()
        async with service.call(start) as call:
            await call.until(lambda e: e.HasField("ready"))
            await call.be_silent(500)
            await call.ask()
            await call.turn(2, conv.TURN_STATE_ENDED)
            await call.hang_up()
            assert call.spoken() == "You asked for the time."
    told = [m.content for m in brain.requests[1].messages]
    assert told == ["Hello! How can I help you?", "what time is it", "It is noon.", "what did i ask"]


@async_test
async def test_a_reply_cut_by_a_dead_process_is_spoken_to_its_end_without_asking_again() -> None:
    brain = FakeBrain((STORY,))
    async with conversations(brain, FakeStt(["tell me a story"])) as service:
        async with service.call() as call:
            # The first sentence is 53 characters, 2650 ms: the second is cut after 350 ms.
            call.stops_in, call.stops_at_ms = 2, 3000
            await call.answer_greeting()
            await call.ask()
            reply = (await call.until(lambda e: e.playout.turn_id == 1)).playout
            first = await call.until(lambda e: e.transcript.playout_id == reply.playout_id)
            second = await call.until(
                lambda e: e.transcript.playout_id == reply.playout_id and e.transcript.text != first.transcript.text
            )
            await call.until(
                lambda e: e.mark.playout_id == reply.playout_id and e.mark.position.ToMilliseconds() > 4000
            )
            await call.until(lambda e: e.HasField("checkpoint") and b"river was gone" in e.checkpoint.state)
            start = resumed(call)
        await service.slots.wait_idle()
        async with service.call(start) as call:
            tail = (await call.until(lambda e: e.HasField("playout"))).playout
            ended = await call.turn(1, conv.TURN_STATE_ENDED)
            await call.hang_up()
            assert tail.kind == conv.PLAYOUT_KIND_RESUMED_TAIL
            assert (tail.turn_id, tail.continues_playout_id) == (1, reply.playout_id)
            assert tail.playout_id > reply.playout_id
            assert ended.outcome == conv.TURN_OUTCOME_COMPLETED
            assert ended.heard_length == len(STORY)
            assert call.spoken().startswith(second.transcript.text)
            assert call.spoken().endswith("One day the river was gone.")
    assert len(brain.requests) == 1


@async_test
async def test_a_question_that_was_never_answered_is_asked_by_the_successor() -> None:
    never = asyncio.Event()
    brain = FakeBrain((never,), ("It is noon.",))
    async with conversations(brain, FakeStt(["what time is it"])) as service:
        async with service.call() as call:
            await call.answer_greeting()
            await call.ask()
            await call.turn(1, conv.TURN_STATE_COMMITTED)
            await call.until(lambda e: e.checkpoint.last_turn_id == 1)
            start = resumed(call)
        await service.slots.wait_idle()
        async with service.call(start) as call:
            ended = await call.turn(1, conv.TURN_STATE_ENDED)
            await call.hang_up()
            assert ended.outcome == conv.TURN_OUTCOME_COMPLETED
            assert ended.candidate_id == 2
            assert call.spoken() == "It is noon."
    assert [m.content for m in brain.requests[1].messages if m.role == "user"] == ["what time is it"]


@async_test
async def test_a_caller_cut_in_mid_sentence_is_heard_from_the_sound_that_is_sent_again() -> None:
    brain = FakeBrain()
    stt = FakeStt(["what time", "what time is it"])
    async with conversations(brain, stt) as service:
        async with service.call() as call:
            await call.answer_greeting()
            await call.say(600)
            await call.turn(1, conv.TURN_STATE_LISTENING)
            await call.until(lambda e: e.HasField("checkpoint"))
            start = resumed(call)
        await service.slots.wait_idle()
        async with service.call(start) as call:
            await call.be_silent(300)
            await call.ask()
            ended = await call.turn(2, conv.TURN_STATE_ENDED)
            await call.hang_up()
            assert ended.outcome == conv.TURN_OUTCOME_COMPLETED
