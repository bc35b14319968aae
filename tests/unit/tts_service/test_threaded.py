"""A blocking engine off the loop: order, look-ahead, stopping, failure."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.asyncs import async_test
from tts_service.speech import EngineError, SpeechChunk
from tts_service.threaded import Outlet, Step, ThreadedSpeech


def chunk(value: float, samples: int = 100) -> SpeechChunk:
    return SpeechChunk(np.full(samples, value, dtype=np.float32))


def steps(count: int, begun: list[int], chunks: int = 2) -> Iterator[Step]:
    def step(number: int) -> Step:
        def run(outlet: Outlet) -> None:
            begun.append(number)
            for _ in range(chunks):
                outlet.put(chunk(number))

        return run

    return (step(number) for number in range(count))


@async_test
async def test_chunks_come_in_order_and_then_it_has_ended() -> None:
    begun: list[int] = []
    with ThreadPoolExecutor(2) as pool:
        speech = ThreadedSpeech(steps(5, begun), pool, lookahead_samples=1000)
        heard = [float(piece.samples[0]) for piece in [piece async for piece in speech]]
    assert heard == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert speech.ended.done()


@async_test
async def test_no_step_is_begun_while_the_look_ahead_waits() -> None:
    begun: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        speech = ThreadedSpeech(steps(50, begun), pool, lookahead_samples=300)
        await anext(speech)
        for _ in range(10):
            await asyncio.to_thread(lambda: None)
        assert len(begun) <= 3
        assert len([piece async for piece in speech]) == 99
    assert len(begun) == 50


@async_test
async def test_stopping_ends_the_running_step_at_its_next_chunk() -> None:
    outcomes: list[bool] = []
    resume = threading.Event()
    running = threading.Event()

    def step(outlet: Outlet) -> None:
        outcomes.append(outlet.put(chunk(1)))
        running.set()
        resume.wait(20)
        outcomes.append(outlet.wanted)
        outcomes.append(outlet.put(chunk(2)))

    with ThreadPoolExecutor(1) as pool:
        speech = ThreadedSpeech(iter([step, step]), pool, lookahead_samples=1000)
        await anext(speech)
        await asyncio.to_thread(running.wait, 20)
        speech.stop()
        speech.stop()
        assert not speech.ended.done()
        resume.set()
        await asyncio.wait_for(speech.ended, 20)
        assert [piece async for piece in speech] == []
    assert outcomes == [True, False, False]


@async_test
async def test_stopping_wakes_a_reader_that_waits() -> None:
    hold = threading.Event()

    def step(_: Outlet) -> None:
        hold.wait(20)

    with ThreadPoolExecutor(1) as pool:
        speech = ThreadedSpeech(iter([step]), pool, lookahead_samples=1000)
        reader = asyncio.create_task(anext(speech, None))
        await asyncio.sleep(0)
        speech.stop()
        hold.set()
        assert await asyncio.wait_for(reader, 20) is None
        await speech.ended


@async_test
async def test_what_was_made_before_a_failure_is_heard_before_it() -> None:
    def fail(outlet: Outlet) -> None:
        outlet.put(chunk(1))
        raise ValueError("inner words")

    with ThreadPoolExecutor(1) as pool:
        speech = ThreadedSpeech(iter([fail, fail]), pool, lookahead_samples=1000)
        assert float((await anext(speech)).samples[0]) == 1.0
        with pytest.raises(EngineError, match="ValueError") as raised:
            await anext(speech)
        assert "inner words" not in str(raised.value)
        assert speech.ended.done()
