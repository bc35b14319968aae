"""`parley bench turn-taking`: a corpus of what callers do, played to the engine or to the whole house, and measured."""

from toolbox.bench.turn_taking.measuring import TurnTakingPlan, kinds_named, measure_turn_taking
from toolbox.bench.turn_taking.page import page
from toolbox.bench.turn_taking.pure import default_cache

__all__ = ["TurnTakingPlan", "default_cache", "kinds_named", "measure_turn_taking", "page"]
