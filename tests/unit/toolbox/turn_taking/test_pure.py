"""The engine in virtual time: the harness sees what an engine does, and what a bad one fails to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.engine import EngineSettings
from servicekit.settings import SettingsError
from tests.asyncs import async_test
from toolbox.bench.turn_taking import TurnTakingPlan, measure_turn_taking
from toolbox.bench.turn_taking.corpus import CaseKind, Half
from toolbox.bench.turn_taking.observation import CallObservations, Observation
from toolbox.bench.turn_taking.pure import JudgedCall, Models, judged_corpus, run_corpus
from toolbox.bench.turn_taking.sweep import Variant

COUNTS = {
    CaseKind.COMPLETE: 4,
    CaseKind.PAUSE_CLAUSE: 3,
    CaseKind.INTERRUPTION: 4,
    CaseKind.BACKCHANNEL: 3,
    CaseKind.NOISE: 2,
}


@pytest.fixture(scope="module")
def corpus() -> list[JudgedCall]:
    return judged_corpus(COUNTS, Half.TUNING, 5, cache=None)


def cases(seen: list[CallObservations], kind: CaseKind) -> list[Observation]:
    return [case for call in seen for case in call.cases if case.kind is kind]


def run(corpus: list[JudgedCall], settings: EngineSettings | None = None, **models: float) -> list[CallObservations]:
    (seen,) = run_corpus(corpus, [settings or EngineSettings()], Models(**models))
    return seen


def test_every_case_is_seen_once(corpus: list[JudgedCall]) -> None:
    seen = run(corpus)
    names = [case.case_id for call in seen for case in call.cases]
    assert len(names) == len(set(names)) == sum(COUNTS.values())


def test_complete_utterances_are_answered_within_a_sane_time(corpus: list[JudgedCall]) -> None:
    for case in cases(run(corpus), CaseKind.COMPLETE):
        assert case.answered_ms is not None
        if (latency := case.response_latency_ms) is not None:
            assert 100.0 < latency < 2000.0


def test_interruptions_silence_the_agent(corpus: list[JudgedCall]) -> None:
    found = cases(run(corpus), CaseKind.INTERRUPTION)
    assert all(case.barge_in_ms is not None and 0 < case.barge_in_ms < 1500 for case in found)
    assert sum(case.cancelled for case in found) >= len(found) - 1


def test_a_slower_recogniser_never_makes_the_answer_sooner(corpus: list[JudgedCall]) -> None:
    def total(stt_ms: float) -> float:
        latencies = [case.response_latency_ms for case in cases(run(corpus, stt_ms=stt_ms), CaseKind.COMPLETE)]
        return sum(ms for ms in latencies if ms is not None)

    assert total(400.0) > total(40.0)


def test_a_deaf_engine_is_found_out(corpus: list[JudgedCall]) -> None:
    deaf = Variant("deaf", {"speech": {"deaf_start_ms": 1e9}}).over(EngineSettings())
    seen = run(corpus, deaf)
    everything = [case for call in seen for case in call.cases]
    assert all(case.answered_ms is None for case in everything if case.kind is CaseKind.COMPLETE)
    assert all(case.barge_in_ms is None for case in everything if case.kind is CaseKind.INTERRUPTION)


def test_an_engine_that_never_pauses_for_a_caller_has_a_slower_barge_in(corpus: list[JudgedCall]) -> None:
    slow = Variant("slow", {"barge_in": {"pause_ms": 640.0}}).over(EngineSettings())

    def typical(settings: EngineSettings) -> float:
        found = [case.barge_in_ms for case in cases(run(corpus, settings), CaseKind.INTERRUPTION)]
        return sorted(ms for ms in found if ms is not None)[0]

    assert typical(slow) > typical(EngineSettings())


def test_an_impatient_engine_cuts_into_pauses(corpus: list[JudgedCall]) -> None:
    hasty = {"finalize_after_ms": 60.0, "complete_ms": 100.0, "unfinished_ms": 100.0, "late_ms": 150.0, "cap_ms": 200.0}
    seen = run(corpus, Variant("hasty", {"endpointing": hasty}).over(EngineSettings()))
    assert any(case.cut_off_ms is not None for case in cases(seen, CaseKind.PAUSE_CLAUSE))


@async_test
async def test_a_setting_of_no_service_is_refused_by_its_name() -> None:
    plan = TurnTakingPlan(pure=True, short=True, settings=("endpointing.complete_ms=300",))
    with pytest.raises(SettingsError, match=r"endpointing\.complete_ms: no service .* orchestrator\.endpointing"):
        await measure_turn_taking(plan, lambda part, steps: lambda done: None)


def test_two_runs_of_one_corpus_see_the_same(corpus: list[JudgedCall]) -> None:
    assert run(corpus) == run(corpus)


def test_a_corpus_that_was_kept_is_the_one_that_was_made(tmp_path: Path) -> None:
    counts = {CaseKind.COMPLETE: 1, CaseKind.ECHO: 1}
    made = judged_corpus(counts, Half.TUNING, 9, cache=tmp_path)
    kept = judged_corpus(counts, Half.TUNING, 9, cache=tmp_path)
    assert kept == made
    assert len(list(tmp_path.iterdir())) == 1
