"""``parley conformance``: does a server keep its contract? Asked of the server from outside, with the contract alone.

A case checks one sentence of the contract. What is shared by both contracts lies here; the cases lie in ``stt`` and
``tts``.
"""

from toolbox.conformance.case import BrokenError, Case, SkipError, case
from toolbox.conformance.peer import Patience, Peer, Target
from toolbox.conformance.report import Report, Result
from toolbox.conformance.runner import run_cases

__all__ = [
    "BrokenError",
    "Case",
    "Patience",
    "Peer",
    "Report",
    "Result",
    "SkipError",
    "Target",
    "case",
    "run_cases",
]
