"""The turn engine alone, in virtual time: thousands of cases in seconds."""

from toolbox.bench.turn_taking.pure.judged import JudgedCall, default_cache, judged_corpus
from toolbox.bench.turn_taking.pure.models import Models
from toolbox.bench.turn_taking.pure.run import run_call, run_corpus

__all__ = ["JudgedCall", "Models", "default_cache", "judged_corpus", "run_call", "run_corpus"]
