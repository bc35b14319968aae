"""Turn-taking with and without clean-up: the corpus of `bench turn-taking` in virtual time, cleaned beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.clean_up import CleanUpSettings, open_clean_up
from orchestrator.engine import EngineSettings
from toolbox.bench.turn_taking import figures
from toolbox.bench.turn_taking.corpus import CaseKind, Half
from toolbox.bench.turn_taking.pure import Models, judged_corpus, run_corpus

# What should not interrupt, and what clean-up could cost: answers, interruptions, signs of listening.
KINDS = (CaseKind.NOISE, CaseKind.BABBLE, CaseKind.COMPLETE, CaseKind.INTERRUPTION, CaseKind.BACKCHANNEL)
_LINE_HZ = 8000


def turns_with(
    clean_up: CleanUpSettings,
    cases: int,
    *,
    seed: int,
    cache: Path,
    workers: int,
    on_case: Callable[[int], None],
) -> Mapping[str, Any]:
    """The figures of ``cases`` of each of `KINDS`, of the reporting half, by the default engine.

    What is heard of a window comes as much later as clean-up delays the sound.
    """
    corpus = judged_corpus(
        dict.fromkeys(KINDS, cases), Half.REPORTING, seed, cache=cache, workers=workers, clean_up=clean_up
    )
    cleaning = open_clean_up(clean_up, _LINE_HZ)
    models = Models()
    if cleaning is not None:
        models = replace(models, detector_lag_ms=models.detector_lag_ms + cleaning.behind_ms)
    (seen,) = run_corpus(corpus, [EngineSettings()], models, workers=workers, on_case=on_case)
    return figures.classes([case for call in seen for case in call.cases])
