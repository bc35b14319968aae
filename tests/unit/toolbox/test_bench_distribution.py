"""Many measurements become a few honest figures."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from toolbox.bench.distribution import distribution, distribution_of_buckets


def test_nothing_measured_is_null_and_not_zero() -> None:
    nothing = {"n": 0, "p50": None, "p95": None, "p99": None, "max": None}
    assert distribution([]) == nothing
    assert distribution_of_buckets((1.0, 2.0), (0, 0, 0), None) == nothing


def test_percentiles_lie_between_neighbours() -> None:
    assert distribution([40, 10, 20, 30]) == {"n": 4, "p50": 25, "p95": 38.5, "p99": 39.7, "max": 40}


@given(st.lists(st.floats(0, 10_000), min_size=1))
def test_percentiles_go_up_and_stay_within_what_was_measured(values: list[float]) -> None:
    summary = distribution(values, digits=6)
    figures = [summary["p50"], summary["p95"], summary["p99"], summary["max"]]
    assert all(figure is not None for figure in figures)
    assert figures == sorted(figures, key=lambda figure: figure or 0)
    assert math.isclose(figures[-1] or 0, max(values), abs_tol=1e-6)
    assert summary["n"] == len(values)


def test_a_histogram_is_read_inside_its_buckets() -> None:
    # Ten measurements up to 10 ms, ten up to 20.
    summary = distribution_of_buckets((10.0, 20.0, 50.0), (10, 10, 0, 0), 18.0)
    assert summary == {"n": 20, "p50": 10.0, "p95": 17.2, "p99": 17.84, "max": 18.0}


def test_what_exceeds_the_last_bound_reaches_to_the_largest() -> None:
    assert distribution_of_buckets((10.0,), (0, 4), 90.0)["p50"] == 50.0
