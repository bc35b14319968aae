"""Row 55 of the fault catalogue, from the model server's socket to the caller's ear: what is whole is spoken."""

from __future__ import annotations

import pytest

from orchestrator.settings import OrchestratorSettings
from parley.conversation.v1 import conversation_pb2 as conv
from tests.asyncs import async_test
from tests.fakes.brain_servers import (
    DONE,
    Act,
    FakeBrainServer,
    data,
    delta,
    endless,
    streaming,
    streaming_then_breaking,
    streaming_then_silent,
)
from tests.fakes.orchestrator_gateway import FakeGateway, conversations
from tests.fakes.orchestrator_stt import FakeStt
from tests.unit.orchestrator.brain.asking import brain_at

WHOLE = "It is four in the afternoon."
BEGUN = delta(WHOLE + " The wea")
SETTINGS = OrchestratorSettings.model_validate({"max_calls": 4, "watchdogs": {"content_gap_ms": 300}})


def replies_of(call: FakeGateway, turn_id: int) -> str:
    """What the agent said in a turn."""
    return " ".join(
        e.transcript.text
        for e in call.events
        if e.transcript.speaker == conv.SPEAKER_AGENT and e.transcript.turn_id == turn_id and e.transcript.text
    )


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(streaming_then_silent(BEGUN), id="stalls in mid-sentence"),
        pytest.param(streaming_then_breaking(BEGUN), id="breaks off"),
        pytest.param(streaming(BEGUN, data({"error": {"message": "overloaded"}})), id="sends an error object"),
        pytest.param(streaming(BEGUN, b"event: error\ndata: {}\n\n"), id="sends an error event"),
        pytest.param(streaming(BEGUN, b"data: {not json\n\n", delta("ther.")), id="sends what is not JSON"),
    ],
)
def test_what_was_whole_is_spoken_and_the_call_goes_on(broken: Act) -> None:
    @async_test
    async def scenario() -> None:
        stt = FakeStt(["what time is it", "thank you"])
        async with FakeBrainServer(broken, streaming(delta("You are welcome."), DONE)) as server:
            brain = brain_at(server.base_url, attempts=1)
            async with conversations(brain, stt, settings=SETTINGS) as service, service.call() as call:
                await call.answer_greeting()
                await call.ask()
                failed = await call.turn(1, conv.TURN_STATE_ENDED)
                await call.ask()
                ended = await call.turn(2, conv.TURN_STATE_ENDED)
                await call.hang_up()
                assert replies_of(call, 1) == WHOLE
                assert replies_of(call, 2) == "You are welcome."
                assert failed.outcome == conv.TURN_OUTCOME_ERROR
                assert ended.outcome == conv.TURN_OUTCOME_COMPLETED
            await brain.close()
            assert [m["content"] for m in server.requests[1].body["messages"] if m["role"] == "assistant"][-1] == WHOLE

    scenario()


@async_test
async def test_a_stream_that_closes_without_its_last_word_is_spoken_whole() -> None:
    async with FakeBrainServer(streaming(delta(WHOLE), delta(" Anything else"))) as server:
        brain = brain_at(server.base_url)
        stt = FakeStt(["what time is it"])
        async with conversations(brain, stt, settings=SETTINGS) as service, service.call() as call:
            await call.answer_greeting()
            await call.ask()
            ended = await call.turn(1, conv.TURN_STATE_ENDED)
            await call.hang_up()
            assert replies_of(call, 1) == f"{WHOLE} Anything else"
            assert ended.outcome == conv.TURN_OUTCOME_COMPLETED
        await brain.close()


@async_test
async def test_a_brain_that_never_stops_is_capped_and_left() -> None:
    async with FakeBrainServer(endless(delta("And so on. "))) as server:
        brain = brain_at(server.base_url, max_reply_chars=110)
        stt = FakeStt(["what time is it"])
        async with conversations(brain, stt, settings=SETTINGS) as service, service.call() as call:
            await call.answer_greeting()
            await call.ask()
            ended = await call.turn(1, conv.TURN_STATE_ENDED)
            await server.requests[0].gone.wait()
            await call.hang_up()
            assert replies_of(call, 1).count("And so on.") == 10
            assert ended.outcome == conv.TURN_OUTCOME_COMPLETED
        await brain.close()
