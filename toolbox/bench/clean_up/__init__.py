"""`parley bench clean-up`: what cleaning the caller's sound is worth, to turn-taking and to speech to text."""

from toolbox.bench.clean_up.measuring import CleanUpPlan, measure_clean_up
from toolbox.bench.clean_up.showing import show_clean_up

__all__ = ["CleanUpPlan", "measure_clean_up", "show_clean_up"]
