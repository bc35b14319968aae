"""`parley bench stt`: the real recogniser behind the real contract, at real sizes, beside the plain library."""

from toolbox.bench.stt.plan import SttBenchError, SttPlan

__all__ = ["SttBenchError", "SttPlan"]
