"""How busy the speech services are: asked over real gRPC, once for all calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
import pytest

from orchestrator.settings import OrchestratorSettings
from orchestrator.speech_load import SpeechLoad
from parley.conversation.v1 import conversation_pb2 as conv
from parley.stt.v1 import stt_pb2, stt_pb2_grpc
from parley.tts.v1 import tts_pb2, tts_pb2_grpc
from servicekit.channels import open_channel
from tests.asyncs import async_test
from tests.fakes.orchestrator_brain import FakeBrain
from tests.fakes.orchestrator_gateway import conversations
from tests.fakes.orchestrator_stt import FakeStt
from tests.fakes.orchestrator_tts import FakeTts

PATIENCE_S = 10.0


class BusyStt(FakeStt):
    """Says how many of its slots are in use."""

    def __init__(self, in_use: int = 0, capacity: int = 10) -> None:
        super().__init__(["what time is it"])
        self.in_use, self.capacity = in_use, capacity
        self.asked = 0
        self.fails = False

    async def GetInfo(  # noqa: N802 - the contract's name
        self, request: stt_pb2.GetInfoRequest, context: Any
    ) -> stt_pb2.GetInfoResponse:
        """See the contract."""
        self.asked += 1
        if self.fails:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "as the test wants it")
        return stt_pb2.GetInfoResponse(engine="fake", capacity=self.capacity, in_use=self.in_use)


class BusyTts(FakeTts):
    """Says how many of its slots are in use."""

    def __init__(self, in_use: int = 0, capacity: int = 10) -> None:
        super().__init__()
        self.in_use, self.capacity = in_use, capacity

    async def GetInfo(  # noqa: N802 - the contract's name
        self, request: tts_pb2.GetInfoRequest, context: Any
    ) -> tts_pb2.GetInfoResponse:
        """See the contract."""
        return tts_pb2.GetInfoResponse(engine="fake", capacity=self.capacity, in_use=self.in_use)


@dataclass
class Watched:
    """A load that is being asked for, and a call that is told of it."""

    load: SpeechLoad
    shares: AsyncIterator[float]

    async def next(self) -> float:
        async with asyncio.timeout(PATIENCE_S):
            return await anext(self.shares)


@asynccontextmanager
async def watched(stt: BusyStt, tts: BusyTts) -> AsyncIterator[Watched]:
    server = grpc.aio.server()
    stt_pb2_grpc.add_SpeechToTextServicer_to_server(stt, server)
    tts_pb2_grpc.add_TextToSpeechServicer_to_server(tts, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with open_channel(f"127.0.0.1:{port}") as channel:
        load = SpeechLoad(stt_pb2_grpc.SpeechToTextStub(channel), tts_pb2_grpc.TextToSpeechStub(channel), every_s=0.005)
        asking = asyncio.create_task(load.run())
        try:
            yield Watched(load, load.shares())
        finally:
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking
            await server.stop(None)


@async_test
async def test_the_busier_of_the_two_counts_and_every_real_change_is_told() -> None:
    stt, tts = BusyStt(in_use=3), BusyTts(in_use=5)
    async with watched(stt, tts) as one:
        assert await one.next() == 0.5
        stt.in_use = 9
        assert await one.next() == 0.9
        stt.in_use, tts.in_use = 0, 0
        assert await one.next() == 0.0
        assert one.load.share == 0.0


@async_test
async def test_a_change_too_small_to_decide_anything_is_not_told() -> None:
    stt, tts = BusyStt(in_use=50, capacity=100), BusyTts()
    async with watched(stt, tts) as one:
        assert await one.next() == 0.5
        stt.in_use = 52
        asked = stt.asked
        while one.load.share != 0.52 or stt.asked < asked + 3:  # noqa: ASYNC110 - another task's state
            await asyncio.sleep(0)
        stt.in_use = 56
        assert await one.next() == 0.56, "the first after 0.5 that was told"


@async_test
async def test_a_call_that_comes_later_is_told_at_once() -> None:
    async with watched(BusyStt(in_use=8), BusyTts()) as one:
        assert await one.next() == 0.8
        async with asyncio.timeout(PATIENCE_S):
            assert await anext(one.load.shares()) == 0.8


@async_test
async def test_a_service_that_does_not_answer_or_has_no_slots_counts_as_free() -> None:
    stt, tts = BusyStt(in_use=9), BusyTts(in_use=4, capacity=0)
    async with watched(stt, tts) as one:
        assert await one.next() == 0.9
        stt.fails = True
        assert await one.next() == 0.0
        stt.fails = False
        assert await one.next() == 0.9, "it is asked again and again"


@pytest.mark.parametrize("in_use", [9, 2])
def test_a_busy_recogniser_keeps_a_call_from_early_replies(in_use: int) -> None:
    @async_test
    async def scenario() -> None:
        stt = BusyStt(in_use=in_use)
        brain = FakeBrain(("It is noon.",), speculation_safe=True)
        settings = OrchestratorSettings(max_calls=4)
        async with conversations(brain, stt, settings=settings, watches_load=True) as service, service.call() as call:
            await call.answer_greeting()
            await call.say(800)
            await call.be_silent(160)
            await call.until(lambda e: e.transcript.speaker == conv.SPEAKER_CALLER)
            await call.be_silent(300)
            ended = await call.turn(1, conv.TURN_STATE_ENDED)
            await call.hang_up()
            speculated = [e for e in call.events if e.turn.state == conv.TURN_STATE_SPECULATING]
            assert bool(speculated) == (in_use == 2)
            assert ended.outcome == conv.TURN_OUTCOME_COMPLETED

    scenario()
