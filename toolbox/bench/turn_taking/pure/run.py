"""All calls of a judged corpus through the engine, side by side in several processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

from orchestrator.engine import EngineSettings
from toolbox.bench.turn_taking.observation import CallObservations
from toolbox.bench.turn_taking.pure.call import PureCall
from toolbox.bench.turn_taking.pure.judged import JudgedCall
from toolbox.bench.turn_taking.pure.models import Models


def run_call(call: JudgedCall, settings: EngineSettings, models: Models) -> CallObservations:
    """Run a call; where it gets stuck, what is left is done in a new one."""
    seen = PureCall(call, settings, models).run()
    while seen.left:
        rest = PureCall(replace(call, cases=call.cases[-seen.left :]), settings, models).run()
        seen.cases += rest.cases
        seen.speculation.add(rest.speculation)
        seen.left = rest.left if rest.cases else 0
    return seen


def run_corpus(
    corpus: Sequence[JudgedCall],
    settings: Sequence[EngineSettings],
    models: Models,
    *,
    workers: int = 1,
    on_case: Callable[[int], None] = lambda done: None,
) -> list[list[CallObservations]]:
    """Run a corpus under each of some settings; the results in the same order.

    ``on_case`` is given the number of cases done, over all settings.
    """
    tasks = [(call, one, models) for one in settings for call in corpus]
    seen: list[CallObservations] = []
    done = 0
    if workers <= 1:
        results = map(_run_apart, tasks)
        for result in results:
            seen.append(result)
            done += len(result.cases)
            on_case(done)
    else:
        with ProcessPoolExecutor(workers) as pool:
            for result in pool.map(_run_apart, tasks, chunksize=8):
                seen.append(result)
                done += len(result.cases)
                on_case(done)
    size = len(corpus)
    return [seen[start : start + size] for start in range(0, size * len(settings), size or 1)]


def _run_apart(task: tuple[JudgedCall, EngineSettings, Models]) -> CallObservations:
    return run_call(*task)
