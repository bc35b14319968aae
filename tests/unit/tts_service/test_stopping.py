"""Cancelling, slow readers, failing engines: what a reply costs when it does not go well."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from parley.tts.v1 import tts_pb2
from servicekit.errors import reason_of
from tests.asyncs import async_test
from tests.fakes.tts_service_engine import RATE_HZ, STEP_SAMPLES, FakeEngine
from tests.unit.tts_service.loopback import (
    FINISH,
    FLUSH,
    Loopback,
    config,
    messages_left,
    refused,
    response,
    serving,
    synthesize,
    text,
    until,
)
from tts_service.espeak.engine import EspeakEngine
from tts_service.settings import TtsSettings

GUARD_S = 20.0
"""A hang guard, never a measure."""


async def slots_free(service: Loopback) -> None:
    """Wait until no slot is taken."""
    await asyncio.wait_for(service.slots.wait_idle(), GUARD_S)


async def until_begun(engine: FakeEngine) -> None:
    """Wait until the engine works."""
    assert await asyncio.to_thread(engine.step_begun.wait, GUARD_S)


@async_test
async def test_cancelling_frees_the_slot_when_the_running_step_ends_and_no_step_follows() -> None:
    engine = FakeEngine()
    engine.gate.clear()
    async with serving(engine, capacity=1) as service:
        call = service.stub.Synthesize()
        await call.write(config())
        await call.write(text(1, "abcdefgh"))
        await call.write(FLUSH)
        await until_begun(engine)
        call.cancel()
        # Busy until the step is over: a second reply is refused although the client is gone.
        error = await refused(service.stub, [config()])
        assert reason_of(error) == "CAPACITY"
        assert service.slots.in_use == 1
        engine.gate.set()
        await slots_free(service)
        assert engine.steps_begun == engine.steps_ended == 1


@async_test
async def test_a_step_that_waits_for_a_thread_never_runs_for_a_cancelled_reply() -> None:
    engine = FakeEngine(workers=1)
    engine.gate.clear()
    async with serving(engine, capacity=2) as service:
        calls = []
        for _ in range(2):
            call = service.stub.Synthesize()
            await call.write(config())
            await call.write(text(1, "abcd"))
            await call.write(FLUSH)
            assert (await response(call)).HasField("ready")
            calls.append(call)
        await until_begun(engine)
        await until(lambda: len(engine.passages) == 2)
        for call in calls:
            call.cancel()
        # The one in the queue is free at once, the one in the thread is not.
        await until(lambda: service.slots.in_use == 1)
        engine.gate.set()
        await slots_free(service)
        assert engine.steps_begun == 1


@async_test
async def test_cancelling_in_mid_segment_stops_the_embedded_voice() -> None:
    async with serving(EspeakEngine(TtsSettings()), capacity=1) as service:
        for _ in range(5):
            call = service.stub.Synthesize()
            await call.write(config())
            await call.write(text(1, "A sentence that lasts a few seconds and is followed by another. " * 150))
            await call.write(FINISH)
            while not (await response(call)).HasField("audio"):
                pass
            call.cancel()
            await slots_free(service)
        heard = await synthesize(service.stub, [config(), text(1, "done"), FINISH])
        assert heard.done[0].samples > 0


@async_test
async def test_a_cancelled_reply_of_a_client_that_vanished_is_let_go() -> None:
    engine = FakeEngine()
    async with serving(engine, capacity=1) as service:
        call = service.stub.Synthesize()
        await call.write(config())
        await call.write(text(1, "abc"))
        assert (await response(call)).HasField("ready")
        await call.done_writing()
        assert await call.code() is grpc.StatusCode.CANCELLED
        await slots_free(service)


@async_test
async def test_row_62_a_slow_reader_holds_the_engine_back() -> None:
    engine = FakeEngine(lookahead_ms=200)
    characters = 600  # a minute of sound
    async with serving(engine, capacity=1) as service:
        call = service.stub.Synthesize()
        await call.write(config())
        await call.write(text(1, "a" * characters))
        await call.write(FINISH)
        await call.done_writing()
        # Nothing is read. The engine goes on until what is under way fills the transport and the look-ahead.
        before, unchanged = -1, 0
        while unchanged < 30:
            await service.stub.GetInfo(tts_pb2.GetInfoRequest())  # a turn for the server
            unchanged = unchanged + 1 if before == engine.steps_ended else 0
            before = engine.steps_ended
        under_way_ms = 1000 * before * STEP_SAMPLES / RATE_HZ
        assert 0 < under_way_ms < 15_000
        payload = 0
        async for message in messages_left(call):
            payload += len(message.audio.payload)
        assert payload == characters * STEP_SAMPLES
        assert engine.steps_ended == characters


@async_test
async def test_an_engine_that_fails_ends_its_reply_and_no_other() -> None:
    engine = FakeEngine(fails_on="!")
    async with serving(engine, capacity=1) as service:
        error = await refused(service.stub, [config(), text(1, "ab!cd"), FINISH])
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert reason_of(error) == "ENGINE_FAILED"
        assert "secret" not in (error.details() or "")
        assert service.slots.in_use == 0
        heard = await synthesize(service.stub, [config(), text(1, "abcd"), FINISH])
        assert heard.done[0].samples == 4 * STEP_SAMPLES


@async_test
async def test_row_57_sound_that_is_no_sound_ends_its_reply_and_no_other() -> None:
    engine = FakeEngine(broken_on="!")
    async with serving(engine, capacity=1) as service:
        error = await refused(service.stub, [config(), text(1, "ab"), text(2, "c!d"), FINISH])
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert reason_of(error) == "ENGINE_FAILED"
        await service.slots.wait_idle()
        heard = await synthesize(service.stub, [config(), text(1, "abcd"), FINISH])
        assert heard.done[0].samples == 4 * STEP_SAMPLES


@async_test
async def test_the_engine_gets_the_segment_as_it_was_sent() -> None:
    engine = FakeEngine()
    async with serving(engine) as service:
        messages = [
            config("one", "en-GB", speed=1.5),
            text(1, "a"),
            text(1, "b"),
            text(2, "c", language="de"),
            text(3, "d", voice="zwei"),
            FINISH,
        ]
        heard = await synthesize(service.stub, messages)
    said = [(passage.text, passage.voice.name, passage.language, passage.speed) for passage in engine.passages]
    assert said == [("ab", "one", "en-GB", 1.5), ("c", "zwei", "de", 1.5), ("d", "zwei", "de", 1.5)]
    assert [done.samples for done in heard.done] == [1600, 800, 800]
    assert [(r.text_start, r.text_end, r.start_sample, r.end_sample) for r in heard.ranges[1]] == [
        (0, 1, 0, 800),
        (1, 2, 800, 1600),
    ]


@pytest.mark.parametrize("stage", ["before text", "while speaking", "between segments", "after finish"])
def test_the_slot_is_free_again_whenever_the_client_cancels(stage: str) -> None:
    @async_test
    async def scenario() -> None:
        engine = FakeEngine()
        async with serving(engine, capacity=1) as service:
            call = service.stub.Synthesize()
            await call.write(config())
            assert (await response(call)).HasField("ready")
            if stage != "before text":
                await call.write(text(1, "abcdef" * (50 if stage == "while speaking" else 1)))
                await call.write(FINISH if stage == "after finish" else FLUSH)
                assert (await response(call)).HasField("audio")
            if stage == "between segments":
                while not (await response(call)).HasField("segment_done"):
                    pass
            call.cancel()
            await slots_free(service)
            await synthesize(service.stub, [config(), text(1, "ab"), FINISH])

    scenario()
