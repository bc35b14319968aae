"""Asking the end-of-turn model for several calls at once, beside the loop."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from orchestrator.end_of_turn import EndOfTurnJudge, EndOfTurnJudges, EndOfTurnModel, EndOfTurnSettings
from orchestrator.end_of_turn.log_mel import SAMPLES
from orchestrator.end_of_turn.recent import RecentSound
from tests.asyncs import async_test
from tests.fakes.orchestrator_end_of_turn import FakeEndOfTurnModel, FakeWorkers
from tests.models.end_of_turn import falling_model

WINDOW = 512


class Desk:
    """Judges with workers that wait for the test, and what each call was told."""

    def __init__(self, **settings: object) -> None:
        self.workers = FakeWorkers()
        self.model = FakeEndOfTurnModel()
        self.now = 0.0
        self.judges = EndOfTurnJudges(
            self.model,
            EndOfTurnSettings.model_validate(settings),
            executor=self.workers,
            clock=lambda: self.now,
        )
        self.told: list[tuple[str, int, float]] = []
        self.covered_ms: list[float] = []

    def call(self, name: str) -> EndOfTurnJudge:
        def told(turn: int, probability: float, covers_ms: float) -> None:
            self.told.append((name, turn, round(probability, 3)))
            self.covered_ms.append(covers_ms)

        return self.judges.for_call(told)

    async def work(self) -> None:
        """Do one judgement and let its result reach the loop."""
        self.workers.work()
        for _ in range(3):
            await asyncio.sleep(0)


def hear(judge: EndOfTurnJudge, last: float, *, end_ms: float = 32.0) -> None:
    judge.hear(np.full(WINDOW, last, np.float32), end_ms)


@async_test
async def test_a_question_is_answered_with_its_turn_and_what_it_was_about() -> None:
    desk = Desk()
    call = desk.call("a")
    hear(call, 0.75, end_ms=1240.0)
    call.ask(7, 0.0)
    hear(call, 0.1, end_ms=1272.0)  # what comes later is not part of the question
    assert desk.told == []
    await desk.work()
    assert desk.told == [("a", 7, 0.75)]
    assert desk.covered_ms == [1240.0]
    await desk.judges.close()
    assert desk.workers.shut_down


@async_test
async def test_only_as_many_judgements_as_there_are_workers_run_and_the_calls_take_turns() -> None:
    desk = Desk(workers=2)
    calls = [desk.call(name) for name in "abcd"]
    for number, call in enumerate(calls):
        hear(call, number / 10)
        call.ask(number, 0.0)
        assert desk.workers.busy == min(number + 1, 2)
    for _ in calls:
        await desk.work()
    assert [name for name, _, _ in desk.told] == list("abcd")
    await desk.judges.close()


@async_test
async def test_a_calls_newest_question_replaces_the_one_that_waits_and_the_one_being_judged() -> None:
    desk = Desk()
    call = desk.call("a")
    for number in (1, 2, 3):
        hear(call, number / 10, end_ms=32.0 * number)
        call.ask(number, 0.0)
    assert desk.workers.busy == 1
    await desk.work()  # the first, whose answer nobody wants any more
    assert desk.told == []
    await desk.work()
    assert desk.told == [("a", 3, 0.3)]
    assert desk.workers.busy == 0
    assert len(desk.model.heard) == 2  # the second was never judged
    assert desk.judges.counts.withdrawn == 2
    await desk.judges.close()


@async_test
async def test_a_question_that_is_withdrawn_is_not_answered() -> None:
    desk = Desk()
    call = desk.call("a")
    hear(call, 0.5)
    call.ask(1, 0.0)
    call.withdraw()
    call.withdraw()
    await desk.work()
    assert desk.told == []
    assert desk.judges.counts.withdrawn == 1
    await desk.judges.close()


@async_test
async def test_when_too_many_calls_wait_the_one_that_waited_longest_gets_no_opinion() -> None:
    desk = Desk(max_waiting=2)
    for name in "abcd":
        call = desk.call(name)
        hear(call, 0.5)
        call.ask(1, 0.0)
    while desk.workers.busy:
        await desk.work()
    assert [name for name, _, _ in desk.told] == ["a", "c", "d"]  # a is being judged, b waited longest
    assert desk.judges.counts.dropped == 1
    await desk.judges.close()


@async_test
async def test_an_opinion_that_would_come_too_late_is_not_formed() -> None:
    desk = Desk(begin_within_ms=100)
    first, second, third = (desk.call(name) for name in "abc")
    for call in (first, second):
        hear(call, 0.5)
        call.ask(1, 0.0)
    desk.now = 0.2
    hear(third, 0.5)
    third.ask(1, 0.0)
    await desk.work()
    await desk.work()
    assert [name for name, _, _ in desk.told] == ["a", "c"]
    assert desk.workers.busy == 0
    await desk.judges.close()


@async_test
async def test_a_model_that_fails_gives_no_opinion_and_is_asked_again() -> None:
    desk = Desk()
    call = desk.call("a")
    hear(call, float("nan"))
    call.ask(1, 0.0)
    await desk.work()
    hear(call, 0.25, end_ms=64.0)
    call.ask(2, 0.0)
    await desk.work()
    assert desk.told == [("a", 2, 0.25)]
    assert (desk.judges.counts.failed, desk.judges.counts.answered) == (1, 1)
    await desk.judges.close()


@async_test
async def test_closing_waits_for_the_judgement_under_way_and_tells_nobody() -> None:
    desk = Desk()
    for name in "ab":
        call = desk.call(name)
        hear(call, 0.5)
        call.ask(1, 0.0)
    closing = asyncio.create_task(desk.judges.close())
    await asyncio.sleep(0)
    assert not closing.done()
    desk.workers.work()
    await closing
    assert desk.workers.busy == 0
    late = desk.call("c")
    hear(late, 0.5)
    late.ask(1, 0.0)
    assert desk.workers.busy == 0
    assert desk.told == []


@async_test
async def test_a_real_model_judges_on_a_thread_of_its_own_and_tells_on_the_loops(tmp_path: Path) -> None:
    model = EndOfTurnModel.load(EndOfTurnSettings(model=str(falling_model(tmp_path / "falling.onnx"))))
    assert model is not None
    judges = EndOfTurnJudges(model, EndOfTurnSettings())
    told: asyncio.Queue[tuple[int, float, int]] = asyncio.Queue()
    judge = judges.for_call(lambda turn, chance, _: told.put_nowait((turn, chance, threading.get_ident())))
    random = np.random.default_rng(1)
    for number in range(100):
        level = 0.1 if number < 85 else 0.00001
        judge.hear(random.standard_normal(WINDOW).astype(np.float32) * np.float32(level), 32.0 * (number + 1))
    judge.ask(4, 0.0)
    turn, chance, thread = await asyncio.wait_for(told.get(), 30)
    assert (turn, thread) == (4, threading.get_ident())
    assert chance > 0.8
    await judges.close()


# ------------------------------------------------------------------------------------------------------- recent sound


def window(first: int) -> NDArray[np.float32]:
    return np.arange(first, first + WINDOW, dtype=np.float32)


def test_the_sound_since_the_turn_began_is_kept_to_the_sample() -> None:
    recent = RecentSound()
    for number in range(10):
        recent.push(window(number * WINDOW), 32.0 * (number + 1))
    sound = recent.since(100.0)
    assert sound[0] == 1600  # 100 ms at 16 kHz
    assert sound[-1] == 10 * WINDOW - 1
    assert recent.since(320.0).shape == (0,)
    assert recent.since(-5.0).shape == (10 * WINDOW,)


def test_no_more_than_8_s_is_kept_however_long_the_turn() -> None:
    recent = RecentSound()
    for number in range(1000):
        recent.push(window(number * WINDOW), 32.0 * (number + 1))
    sound = recent.since(0.0)
    assert sound.shape == (SAMPLES,)
    assert sound[-1] == 1000 * WINDOW - 1
    assert len(recent._windows) <= SAMPLES // WINDOW + 1


def test_sound_that_was_lost_on_the_way_is_not_counted_as_the_turns() -> None:
    recent = RecentSound()
    recent.push(window(0), 32.0)
    recent.push(window(WINDOW), 2032.0)
    assert recent.since(1000.0).shape == (WINDOW,)


def test_nothing_was_heard_yet() -> None:
    assert RecentSound().since(0.0).shape == (0,)


@pytest.mark.parametrize("size", [100, 512, 20_000])
def test_windows_of_any_length_will_do(size: int) -> None:
    recent = RecentSound()
    for number in range(200_000 // size):
        recent.push(np.full(size, number, np.float32), (number + 1) * size / 16)
    assert recent.since(0.0).shape == (SAMPLES,)
