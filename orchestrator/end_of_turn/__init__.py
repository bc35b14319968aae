"""An optional model that hears whether the caller has finished: intonation and the sound of the last word.

* `EndOfTurnModel.load` opens the file of the settings at start, or says what is wrong with it
* `EndOfTurnJudges` asks it for all calls of a process, on threads beside the event loop
* `EndOfTurnJudge` is one call's side of that: it keeps the last 8 s and asks
"""

from orchestrator.end_of_turn.judging import EndOfTurnJudge, EndOfTurnJudges, JudgingCounts, OnJudged, Question
from orchestrator.end_of_turn.model import EndOfTurnError, EndOfTurnModel
from orchestrator.end_of_turn.settings import EndOfTurnSettings

__all__ = [
    "EndOfTurnError",
    "EndOfTurnJudge",
    "EndOfTurnJudges",
    "EndOfTurnModel",
    "EndOfTurnSettings",
    "JudgingCounts",
    "OnJudged",
    "Question",
]
