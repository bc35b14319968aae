"""A process that keeps ending is started ever more slowly, until it was stable."""

from __future__ import annotations

from toolbox.serve.backoff import Backoff, RestartPolicy


def test_waits_grow_up_to_the_longest() -> None:
    backoff = Backoff(RestartPolicy(first_s=1, factor=2, longest_s=5, stable_after_s=30))
    assert [backoff.after_run(0.1) for _ in range(5)] == [1, 2, 4, 5, 5]


def test_a_stable_run_starts_the_count_again() -> None:
    backoff = Backoff(RestartPolicy(first_s=1, factor=2, longest_s=60, stable_after_s=30))
    for _ in range(4):
        backoff.after_run(0.1)
    assert backoff.after_run(31) == 1
    assert backoff.after_run(0.1) == 2
