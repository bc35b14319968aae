"""A reply whose brain breaks off, pauses or dawdles: what is whole is spoken, and no more is believed to be said."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.brain import BrainError
from parley.conversation.v1 import conversation_pb2 as conv
from tests.asyncs import async_test
from tests.fakes.orchestrator_brain import FakeBrain
from tests.fakes.orchestrator_gateway import FakeGateway, conversations
from tests.fakes.orchestrator_stt import FakeStt

BROKE_OFF = BrainError("server", "the connection broke")


def replies_of(call: FakeGateway, turn_id: int) -> str:
    """What the agent said in a turn."""
    return " ".join(
        e.transcript.text
        for e in call.events
        if e.transcript.speaker == conv.SPEAKER_AGENT and e.transcript.turn_id == turn_id and e.transcript.text
    )


@pytest.mark.parametrize(
    "deltas",
    [("It is noon.",), ("It is", " noon."), ("It is noon. The weather is",), ("It is noon.", " The weather is")],
)
def test_a_sentence_that_was_whole_when_the_brain_failed_is_spoken(deltas: tuple[str, ...]) -> None:
    @async_test
    async def scenario() -> None:
        brain = FakeBrain((*deltas, BROKE_OFF), ("You are welcome.",))
        async with conversations(brain, FakeStt(["what time is it"])) as service, service.call() as call:
            await call.answer_greeting()
            await call.ask()
            failed = await call.turn(1, conv.TURN_STATE_ENDED)
            await call.ask()
            await call.turn(2, conv.TURN_STATE_ENDED)
            await call.hang_up()
            assert failed.outcome == conv.TURN_OUTCOME_ERROR
            assert replies_of(call, 1) == "It is noon."
            told = [m.content for m in brain.requests[1].messages if m.role == "assistant"]
            assert told[-1] == "It is noon.", "the half sentence was never said"

    scenario()


@async_test
async def test_half_a_sentence_is_not_spoken_but_apologised_for() -> None:
    brain = FakeBrain(("It is", BROKE_OFF))
    async with conversations(brain, FakeStt(["what time is it"])) as service, service.call() as call:
        await call.answer_greeting()
        await call.ask()
        failed = await call.turn(1, conv.TURN_STATE_ENDED)
        await call.hang_up()
        assert failed.outcome == conv.TURN_OUTCOME_ERROR
        assert "something went wrong" in replies_of(call, 1)


@async_test
async def test_a_sentence_is_spoken_while_the_brain_pauses_behind_it() -> None:
    looked_up = asyncio.Event()
    brain = FakeBrain(("Let me look.", looked_up, " It is noon."))
    async with conversations(brain, FakeStt(["what time is it"])) as service, service.call() as call:
        await call.answer_greeting()
        await call.ask()
        await call.until(lambda e: e.transcript.text == "Let me look.")
        looked_up.set()
        ended = await call.turn(1, conv.TURN_STATE_ENDED)
        await call.hang_up()
        assert ended.outcome == conv.TURN_OUTCOME_COMPLETED
        assert replies_of(call, 1) == "Let me look. It is noon."


@async_test
async def test_a_number_is_not_cut_by_a_pause_behind_its_last_digit() -> None:
    counted = asyncio.Event()
    brain = FakeBrain(("Let me see. It costs 3", counted, ".14 in all."))
    async with conversations(brain, FakeStt(["what does it cost"])) as service, service.call() as call:
        await call.answer_greeting()
        await call.ask()
        await call.until(lambda e: e.transcript.speaker == conv.SPEAKER_AGENT and e.transcript.turn_id == 1)
        counted.set()
        await call.turn(1, conv.TURN_STATE_ENDED)
        await call.hang_up()
        assert len(service.tts.rpcs[-1].texts) == 2


@async_test
async def test_a_reply_ends_with_the_brains_last_word_though_its_stream_lingers() -> None:
    never = asyncio.Event()
    brain = FakeBrain(("It is noon.",), lingers=never)
    async with conversations(brain, FakeStt(["what time is it"])) as service, service.call() as call:
        await call.answer_greeting()
        await call.ask()
        ended = await call.turn(1, conv.TURN_STATE_ENDED)
        await call.hang_up()
        assert ended.outcome == conv.TURN_OUTCOME_COMPLETED
        assert ended.heard_length == len("It is noon.")
