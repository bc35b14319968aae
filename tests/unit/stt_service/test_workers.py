"""The threads that infer: finals overtake partials, and every job is heard of."""

from __future__ import annotations

import threading

from stt_service.engines.whisper.workers import Job, Urgency, Workers

GUARD_S = 30


def test_the_most_urgent_job_goes_first_and_the_oldest_of_these() -> None:
    workers = Workers(1)
    order: list[str] = []

    def note(name: str) -> None:
        workers_jobs[name] = workers.submit(urgency[name], lambda _: order.append(name))

    workers_jobs: dict[str, Job] = {}
    urgency = {
        "recording": Urgency.RECORDING,
        "partial": Urgency.PARTIAL,
        "final": Urgency.FINAL,
        "second final": Urgency.FINAL,
    }
    for name in urgency:
        note(name)
    workers.start()
    workers.close()
    assert order == ["final", "second final", "partial", "recording"]


def test_a_dropped_job_is_still_called_so_that_its_owner_hears_of_its_end() -> None:
    workers = Workers(2)
    outcomes: list[bool] = []
    done = threading.Event()

    def work(job: Job) -> None:
        outcomes.append(job.unwanted)
        done.set()

    workers.submit(Urgency.FINAL, work).drop()
    workers.start()
    assert done.wait(GUARD_S)
    workers.close()
    assert outcomes == [True]
