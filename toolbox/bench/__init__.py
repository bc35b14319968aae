"""Benches: what Parley costs and how fast it answers, measured from outside, at the simulated telephone line."""

from toolbox.bench.distribution import distribution
from toolbox.bench.setup import BenchSetup, bench_setup

__all__ = ["BenchSetup", "bench_setup", "distribution"]
