"""The real client in a real conversation: engine, session and brain over HTTP, with fake recogniser and voice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from orchestrator.brain import Brain, BrainSettings, open_brain
from parley.conversation.v1 import conversation_pb2 as conv
from servicekit.telemetry import Telemetry
from tests.asyncs import async_test
from tests.fakes.orchestrator_gateway import PATIENCE_S, conversations
from tests.fakes.orchestrator_stt import FakeStt
from toolbox.demo_brain import STORY, DemoBrain, Pace


@asynccontextmanager
async def client(base_url: str) -> AsyncIterator[Brain]:
    brain = open_brain(BrainSettings(preset="openai", base_url=base_url, model="parley-demo"), Telemetry("test"))
    try:
        yield brain
    finally:
        await brain.close()


@async_test
async def test_questions_are_answered_and_a_farewell_is_spoken_before_the_call_is_hung_up() -> None:
    stt = FakeStt(["what is seven plus five", "thank you goodbye"])
    async with DemoBrain(pace=Pace(0, 0, 0)) as demo, client(demo.base_url) as brain:
        async with conversations(brain, stt) as service, service.call() as call:
            await call.until(lambda e: e.mark.last)
            await call.ask()
            await call.turn(1, conv.TURN_STATE_ENDED)
            await call.ask()
            control = await call.until(lambda e: e.HasField("call_control"))
            farewell = await call.until(lambda e: e.playout.turn_id == 2)
            await call.until(lambda e: e.mark.last and e.mark.playout_id == farewell.playout.playout_id)
            await call.hang_up()
            spoken = [text for rpc in service.tts.rpcs for text in rpc.texts.values()]
        assert demo.requests.intents == ["arithmetic", "farewell"]
    assert "Seven plus five is twelve." in spoken
    assert spoken[-1] == "Goodbye!"
    assert control.call_control.HasField("hang_up")
    assert control.call_control.after_playout_id == farewell.playout.playout_id


@async_test
async def test_an_interrupted_story_closes_its_request_and_goes_on_from_what_was_heard() -> None:
    stt = FakeStt(["tell me a story", "stop please", "go on"], partial_after_bytes=4800)
    async with DemoBrain(pace=Pace(0, 0, 60)) as demo, client(demo.base_url) as brain:
        async with conversations(brain, stt) as service, service.call(plays=False) as call:
            await call.answer_greeting()
            await call.ask()
            playout_id = (await call.until(lambda e: e.playout.turn_id == 1)).playout.playout_id
            mark = await call.until(
                lambda e: e.mark.playout_id == playout_id and e.mark.position.ToMilliseconds() >= 800
            )
            await call.played(mark.mark)
            await call.say(700)
            await call.until(lambda e: e.HasField("clear"))
            await call.cleared(playout_id, 800)
            async with asyncio.timeout(PATIENCE_S):
                await demo.requests[0].closed()
            call.plays = True
            await call.be_silent(400)
            await call.turn(2, conv.TURN_STATE_ENDED)
            await call.ask()
            await call.until(lambda e: e.playout.turn_id == 3)
            await call.hang_up()
        assert demo.requests.intents[:3] == ["story", "stop", "story"]
        story, _, more = list(demo.requests)[:3]
        heard = next(m["content"] for m in more.messages if m["content"].startswith("Once"))
    assert story.cancelled
    assert STORY.startswith(heard.removesuffix(" —"))
    assert 8 <= len(heard) <= 40, "800 ms were heard, not all that was synthesised"
