"""Who is next at the one model: finals before partials, equals together, and nobody who has gone away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest

from stt_service.engines.whisper.scheduling import Batch, DroppedError, Job, Outcome, Scheduler, Urgency

GUARD_S = 30


class Model:
    """Notes the names it is given; stops at a name until the test lets it go on."""

    def __init__(self, *, workers: int = 1, batch: int = 1, partial_batch: int = 1) -> None:
        self.order: list[tuple[str, ...]] = []
        self.outcomes: dict[str, Outcome[str]] = {}
        self.batches: list[Batch] = []
        self.now = 0.0
        self.reached: dict[str, threading.Event] = {}
        self.gates: dict[str, threading.Event] = {}
        self.scheduler: Scheduler[str, str] = Scheduler(
            self._infer,
            workers=workers,
            batch=batch,
            partial_batch=partial_batch,
            on_batch=self.batches.append,
            clock=lambda: self.now,
        )

    def stop_at(self, name: str) -> None:
        self.reached[name], self.gates[name] = threading.Event(), threading.Event()

    def submit(self, urgency: Urgency, name: str, kind: object = None) -> Job[str, str]:
        def done(outcome: Outcome[str]) -> None:
            self.outcomes[name] = outcome

        return self.scheduler.submit(urgency, kind, name, done)

    def finish(self) -> list[tuple[str, ...]]:
        self.scheduler.close()
        return self.order

    def _infer(self, names: Sequence[str], useless: Callable[[], bool]) -> Sequence[str | Exception]:
        self.order.append(tuple(names))
        for name in names:
            if name in self.gates:
                self.reached[name].set()
                assert self.gates[name].wait(GUARD_S)
        if useless():
            raise DroppedError
        return [ValueError(name) if name.startswith("bad") else name.upper() for name in names]


def test_the_most_urgent_goes_first_and_the_oldest_of_these() -> None:
    model = Model()
    model.submit(Urgency.RECORDING, "recording")
    model.submit(Urgency.PARTIAL, "partial")
    model.submit(Urgency.FINAL, "final")
    model.submit(Urgency.FINAL, "second final")
    model.scheduler.start()
    assert model.finish() == [("final",), ("second final",), ("partial",), ("recording",)]
    assert model.outcomes["final"].result == "FINAL"


def test_what_is_dropped_while_it_waits_leaves_the_queue_at_once_and_is_never_begun() -> None:
    model = Model()
    kept, dropped = model.submit(Urgency.FINAL, "kept"), model.submit(Urgency.FINAL, "dropped")
    assert model.scheduler.waiting == 2
    assert dropped.drop()
    assert model.scheduler.waiting == 1
    assert not dropped.drop()
    model.scheduler.start()
    assert model.finish() == [("kept",)]
    assert set(model.outcomes) == {"kept"}
    assert not kept.drop()


def test_what_is_dropped_at_work_stops_at_its_next_step_and_its_owner_hears_of_the_end() -> None:
    model = Model()
    model.stop_at("long")
    job = model.submit(Urgency.FINAL, "long")
    model.scheduler.start()
    assert model.reached["long"].wait(GUARD_S)
    assert not job.drop()
    model.gates["long"].set()
    model.finish()
    assert isinstance(model.outcomes["long"].error, DroppedError)


def test_a_final_takes_the_place_of_a_partial_that_is_at_work() -> None:
    model = Model()
    model.stop_at("partial")
    model.submit(Urgency.PARTIAL, "partial")
    model.scheduler.start()
    assert model.reached["partial"].wait(GUARD_S)
    model.submit(Urgency.FINAL, "final")
    model.gates["partial"].set()
    assert model.finish() == [("partial",), ("final",)]
    assert isinstance(model.outcomes["partial"].error, DroppedError)
    assert model.outcomes["final"].result == "FINAL"


def test_a_partial_whose_outcome_a_final_waits_for_keeps_its_place() -> None:
    model = Model()
    model.stop_at("partial")
    partial = model.submit(Urgency.PARTIAL, "partial")
    model.scheduler.start()
    assert model.reached["partial"].wait(GUARD_S)
    partial.hasten()
    model.submit(Urgency.FINAL, "final")
    model.gates["partial"].set()
    model.finish()
    assert model.outcomes["partial"].result == "PARTIAL"


def test_a_partial_that_is_hastened_while_it_waits_goes_with_the_finals() -> None:
    model = Model()
    model.submit(Urgency.PARTIAL, "other")
    model.submit(Urgency.PARTIAL, "hastened").hasten()
    model.scheduler.start()
    assert model.finish() == [("hastened",), ("other",)]


def test_newer_work_takes_the_place_of_what_still_waits() -> None:
    model = Model()
    first, _ = model.submit(Urgency.PARTIAL, "stale"), model.submit(Urgency.PARTIAL, "behind")
    assert first.renew(None, "fresh")
    model.scheduler.start()
    assert model.finish() == [("fresh",), ("behind",)]
    assert not first.renew(None, "late")


def test_equals_go_together_no_more_than_fit_and_no_partial_with_a_final() -> None:
    model = Model(batch=2, partial_batch=2)
    model.submit(Urgency.PARTIAL, "partial of ten", 10)
    model.submit(Urgency.RECORDING, "recording")
    model.submit(Urgency.FINAL, "ten", 10)
    model.submit(Urgency.FINAL, "twelve", 12)
    model.submit(Urgency.FINAL, "ten again", 10)
    model.submit(Urgency.FINAL, "several windows")
    model.submit(Urgency.FINAL, "several windows too")
    model.submit(Urgency.PARTIAL, "fourth of ten", 10)
    model.scheduler.start()
    assert model.finish() == [
        ("ten", "ten again"),
        ("twelve",),
        ("several windows",),
        ("several windows too",),
        ("partial of ten", "fourth of ten"),
        ("recording",),
    ]
    assert [len(batch.waits_s) for batch in model.batches] == [2, 1, 1, 1, 2, 1]


def test_partials_go_one_by_one_where_a_final_would_have_to_wait_for_all_of_them() -> None:
    model = Model(batch=4)
    for name in ("one", "two"):
        model.submit(Urgency.PARTIAL, name, 10)
    model.scheduler.start()
    assert model.finish() == [("one",), ("two",)]


def test_workers_share_what_waits() -> None:
    model = Model(workers=2, batch=8)
    for name in ("one", "two"):
        model.stop_at(name)
        model.submit(Urgency.FINAL, name, 10)
    model.scheduler.start()
    assert model.reached["one"].wait(GUARD_S)
    assert model.reached["two"].wait(GUARD_S)
    for name in ("one", "two"):
        model.gates[name].set()
    assert sorted(model.finish()) == [("one",), ("two",)]


def test_an_error_is_told_to_the_one_whose_it_is() -> None:
    model = Model(batch=2)
    model.submit(Urgency.FINAL, "good", 10)
    model.submit(Urgency.FINAL, "bad", 10)
    model.scheduler.start()
    model.finish()
    assert model.outcomes["good"].result == "GOOD"
    assert isinstance(model.outcomes["bad"].error, ValueError)


def test_recordings_leave_a_worker_to_live_speech() -> None:
    model = Model(workers=2)
    model.stop_at("recording")
    model.submit(Urgency.RECORDING, "recording")
    model.scheduler.start()
    assert model.reached["recording"].wait(GUARD_S)
    model.submit(Urgency.RECORDING, "second recording")
    model.stop_at("final")
    model.submit(Urgency.FINAL, "final")
    assert model.reached["final"].wait(GUARD_S)
    assert model.order == [("recording",), ("final",)]
    model.gates["final"].set()
    model.gates["recording"].set()
    assert model.finish()[-1] == ("second recording",)


def test_a_recording_does_not_wait_for_ever_behind_partials() -> None:
    model = Model()
    model.submit(Urgency.RECORDING, "recording")
    model.now = 10.0
    model.submit(Urgency.PARTIAL, "partial")
    model.scheduler.start()
    assert model.finish() == [("recording",), ("partial",)]
    assert model.outcomes["recording"].queue_s == 10.0


@pytest.mark.parametrize("urgency", list(Urgency))
def test_the_wait_and_the_urgency_of_a_batch_are_told(urgency: Urgency) -> None:
    model = Model()
    model.submit(urgency, "it")
    model.now = 0.25
    model.scheduler.start()
    model.finish()
    (batch,) = model.batches
    assert (batch.urgency, batch.waits_s) == (urgency, (0.25,))
