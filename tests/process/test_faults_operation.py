"""Rows 68 and 69 of the catalogue of faults: services told to stop while calls are live, and a collector that is down.

Through all four real processes and the telephone; each ends with a call that must work.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2

from parley.conversation.v1 import conversation_pb2 as conv
from parley.stt.v1 import stt_pb2
from parley.tts.v1 import tts_pb2
from servicekit.audio import MULAW_8K
from servicekit.errors import Reason, reason_in, reason_of
from tests.fakes.brain_servers import DONE, ROLE, Act, FakeExchange, delta
from tests.fakes.servicekit_collector import collecting
from tests.process.house import HANG_GUARD_S, NOON, QUESTION, House, fault, saying

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

STORY = "Once upon a time there was a lighthouse at the end of the world. "


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("house"), "orchestrator.drain.timeout_s=3") as running:
        yield running


def streaming_then_waiting(go_on: asyncio.Event, before: bytes, after: bytes) -> Act:
    """A model that says one thing, and another when it may."""

    async def act(exchange: FakeExchange) -> None:
        await exchange.head()
        await exchange.part(ROLE)
        await exchange.part(before)
        await go_on.wait()
        for event in (after, delta(finish="stop"), DONE):
            await exchange.part(event)
        await exchange.end()

    return act


SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


class Stopping:
    """A service that is told to stop: health first, then refusals, then its end."""

    def __init__(self, house: House, name: str) -> None:
        self._house = house
        self._name = name
        self._health = house.health(name).Watch(health_pb2.HealthCheckRequest(), timeout=3 * HANG_GUARD_S)
        self._pid = house.stage.group.pid(name)

    async def begin(self) -> None:
        """See it serve, send SIGTERM, and see it say that it does not serve."""
        assert (await self._health.read()).status == SERVING
        self._house.stage.group.send(self._name, signal.SIGTERM)
        assert (await self._health.read()).status == NOT_SERVING

    async def over(self) -> None:
        """Wait for its end and its successor."""
        await self._house.restarted(self._name, self._pid)
        assert "drain timed out" not in repr(self._house.lines)


async def answer_to(call: Any, message: object) -> tuple[grpc.StatusCode, str]:
    """How an RPC that should be refused ends, and for which reason."""
    try:
        await call.write(message)
        await call.read()
        return await call.code(), ""
    except asyncio.InvalidStateError:
        return await call.code(), reason_in(await call.trailing_metadata())
    except grpc.aio.AioRpcError as error:
        return error.code(), reason_of(error)


DRAINING = (grpc.StatusCode.UNAVAILABLE, Reason.DRAINING)


@fault
async def test_row_68_stt_told_to_stop_finishes_its_utterances_first(house: House) -> None:
    config = stt_pb2.RecognizeRequest(config=stt_pb2.RecognizeConfig(format=MULAW_8K, languages=["en"]))
    async with house.talk() as talk:
        await talk.greeted()
        held: Any = house.stt.Recognize()
        await held.write(config)
        assert (await held.read()).HasField("ready")
        spoken = await talk.speak(QUESTION)
        await house.taken(stt=2)
        stopping = Stopping(house, "stt")
        await stopping.begin()
        assert await answer_to(house.stt.Recognize(), config) == DRAINING
        await spoken.finished()
        await talk.logged("transcript", speaker="caller", final=True, text=QUESTION)
        await talk.logged("turn", state="ended", outcome="completed")
        await held.write(stt_pb2.RecognizeRequest(finish=stt_pb2.Finish()))
        assert (await held.read()).HasField("final")
        assert await held.code() is grpc.StatusCode.OK
        await stopping.over()
        await talk.ask()
        await talk.hang_up()


@fault
async def test_row_68_tts_told_to_stop_finishes_its_replies_first(house: House) -> None:
    config = tts_pb2.SynthesizeRequest(config=tts_pb2.SynthesizeConfig(format=MULAW_8K))
    house.act = streaming_then_waiting(go_on := asyncio.Event(), delta(STORY), delta("The end."))
    async with house.talk() as talk:
        await talk.greeted()
        spoken = await talk.say("tell me a story")
        async with asyncio.timeout(HANG_GUARD_S):
            await talk.call.hears(after=spoken.speech_ended_at)
        await house.taken(tts=1)
        stopping = Stopping(house, "tts")
        await stopping.begin()
        assert await answer_to(house.tts.Synthesize(), config) == DRAINING
        # The model goes on only now: the reply that was begun is spoken to its end.
        go_on.set()
        turn = await talk.logged("turn", state="ended", outcome="completed")
        assert turn["heard_length"] == turn["said_length"]
        assert talk.said().endswith("The end.")
        assert talk.call.heard.underruns() == []
        await stopping.over()
        house.act = saying(NOON)
        await talk.ask()
        await talk.hang_up()


@fault
async def test_row_68_the_orchestrator_told_to_stop_hands_its_calls_over(house: House) -> None:
    formats: dict[str, Any] = {"caller_formats": [MULAW_8K], "agent_formats": [MULAW_8K]}
    async with house.talk() as talk:
        await talk.greeted()
        await talk.ask()
        # As it was understood: how well the embedded recogniser hears is not what is tested here.
        question = house.asked[-1].body["messages"][-1]["content"]
        held: Any = house.conversation.Converse()
        await held.write(conv.CallEvent(start=conv.Start(call_id="held", **formats)))
        assert (await held.read()).HasField("ready")
        stopping = Stopping(house, "orchestrator")
        await stopping.begin()
        refused = conv.CallEvent(start=conv.Start(call_id="late", **formats))
        assert await answer_to(house.conversation.Converse(), refused) == DRAINING
        while not (event := await held.read()).HasField("go_away"):
            assert isinstance(event, conv.AgentEvent)
        assert 0 < event.go_away.within.seconds <= 3
        await held.write(conv.CallEvent(end=conv.CallEnd(reason=conv.END_REASON_HANDED_OVER)))
        while (event := await held.read()) is not grpc.aio.EOF:
            assert isinstance(event, conv.AgentEvent)
        assert await held.code() is grpc.StatusCode.OK
        await stopping.over()
        await talk.logged("notice", code="CALL_RESUMED")
        asked = len(house.asked)
        await talk.ask("what is your name")
        # The successor knows what was said before; the caller's line never broke.
        told = [message["content"] for message in house.asked[asked].body["messages"]]
        assert told[-3:-1] == [question, NOON]
        assert len(talk.call.streams) == 1
        assert not talk.entries("end")
        await talk.hang_up()


def test_row_69_a_stalling_or_dead_collector_disturbs_no_sound(tmp_path: Path) -> None:
    async def call(house: House) -> None:
        house.act = saying(STORY)
        async with house.talk() as talk:
            await talk.greeted()
            turn = await talk.ask("tell me a story")
            assert turn["heard_length"] == turn["said_length"] > 0
            assert talk.call.heard.underruns() == []
            await talk.hang_up()
        await house.at_rest()

    with collecting() as (collector, endpoint):
        collector.silent = True  # it takes every export and answers none
        endpoints = (f"telemetry.traces_endpoint={endpoint}", f"telemetry.metrics_endpoint={endpoint}")
        house = House(tmp_path, *endpoints, "telemetry.metrics_interval_s=1").__enter__()
        try:
            house.run(call(house))
        except BaseException:
            house.__exit__(None, None, None)
            raise
    # Now nobody listens there any more.
    try:
        house.run(call(house))
    finally:
        house.__exit__(None, None, None)
    assert not house.complaints()
    # Each has ended by itself, not by a kill: it did not wait for the collector.
    stopped = {service for service, line in house.lines if '"stopped"' in line}
    assert stopped == {"gateway", "orchestrator", "stt", "tts"}
