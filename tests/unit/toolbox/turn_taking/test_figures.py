"""From observations to the report: figures, targets, page."""

from __future__ import annotations

import pytest

from toolbox.bench.turn_taking import page
from toolbox.bench.turn_taking.charts import Bound, Series, chart, cumulative
from toolbox.bench.turn_taking.corpus import CaseKind
from toolbox.bench.turn_taking.figures import classes, interval, speculation
from toolbox.bench.turn_taking.observation import Observation, SpeculationCount
from toolbox.bench.turn_taking.page import verdict
from toolbox.bench.turn_taking.targets import judged


def turn(kind: CaseKind, latency_ms: float | None, *, cut: bool = False, joined: bool | None = None) -> Observation:
    answered = None if latency_ms is None else 1000.0 + latency_ms
    cut_off = 500.0 if cut else None
    return Observation(
        case_id="x", kind=kind, detail="d", ended_ms=1000, answered_ms=answered, cut_off_ms=cut_off, joined=joined
    )


def over(kind: CaseKind, barge_in_ms: float | None, *, cancelled: bool, gaps: list[float] | None = None) -> Observation:
    return Observation(
        case_id="x", kind=kind, detail="d", barge_in_ms=barge_in_ms, cancelled=cancelled, hiccups_ms=gaps or []
    )


def test_latency_counts_only_answers_to_callers_who_were_not_cut_off() -> None:
    seen = [turn(CaseKind.COMPLETE, 250), turn(CaseKind.COMPLETE, 350), turn(CaseKind.COMPLETE, 5, cut=True)]
    figures = classes(seen)["complete"]
    assert figures["response_latency_ms"]["n"] == 2
    assert figures["response_latency_ms"]["p50"] == 300
    assert figures["false_cutoff_pct"] == pytest.approx(33.33)
    assert figures["ci95"][0] < 33.33 < figures["ci95"][1]


def test_a_cut_clause_is_good_only_when_joined_and_answered() -> None:
    seen = [turn(CaseKind.PAUSE_CLAUSE, 300, cut=True, joined=True), turn(CaseKind.PAUSE_CLAUSE, None, cut=True)]
    figures = classes(seen)["pause_clause"]
    assert figures["cut_pct"] == 100
    assert figures["joined_and_answered_pct"] == 50
    assert figures["unanswered_pct"] == 50


def test_an_interruption_is_missed_when_the_agent_goes_on_after_all() -> None:
    seen = [
        over(CaseKind.INTERRUPTION, 150, cancelled=True),
        over(CaseKind.INTERRUPTION, 150, cancelled=False, gaps=[700]),
        over(CaseKind.INTERRUPTION, None, cancelled=False),
    ]
    assert classes(seen)["interruption"]["missed_pct"] == pytest.approx(66.67)


def test_a_silence_is_a_hiccup_when_it_is_longer_than_people_let_pass() -> None:
    seen = [
        over(CaseKind.ECHO, 140, cancelled=False, gaps=[350]),
        over(CaseKind.ECHO, 140, cancelled=False, gaps=[450]),
        over(CaseKind.ECHO, None, cancelled=False),
        over(CaseKind.ECHO, 140, cancelled=True),
    ]
    figures = classes(seen)["echo"]
    assert (figures["hiccup_pct"], figures["cancelled_pct"], figures["paused_pct"]) == (25, 25, 75)


def test_the_interval_of_no_case_in_three_hundred_ends_near_one_percent() -> None:
    found = interval(0, 300)
    assert found is not None
    assert found[0] == 0
    assert 1.0 < found[1] < 1.5
    assert interval(0, 0) is None


def test_speculation_tells_hits_and_what_was_wasted() -> None:
    figures = speculation(SpeculationCount(turns=4, hits=3, requests=10, wasted=1))
    assert (figures["hit_pct"], figures["wasted_llm_requests_pct"]) == (75, 10)
    assert speculation(SpeculationCount())["hit_pct"] is None


def test_targets_say_met_or_by_how_much_not() -> None:
    rows = judged(classes([turn(CaseKind.COMPLETE, 350), over(CaseKind.NOISE, None, cancelled=False)]))
    by_name = {row["target"]: row for row in rows}
    late = by_name["complete utterances, response latency p50"]
    assert (late["met"], late["missed_by"]) == (False, 50)
    assert verdict(late) == "missed by 50 ms"
    assert verdict(by_name["noises, turns cancelled"]) == "met, by too few cases to show it"
    assert verdict(by_name["interruptions missed"]) == "not measured"


def test_the_page_holds_targets_classes_and_curves_and_asks_for_nothing_from_elsewhere() -> None:
    by_class = classes([turn(CaseKind.COMPLETE, 250), over(CaseKind.INTERRUPTION, 150, cancelled=True)])
    point = {"settings": "a<b", "response_latency_ms": {"p50": 300.0}, "false_cutoff_pct": {"all_unfinished": 2.0}}
    stop = {"settings": "pause 128", "barge_in_ms": {"p50": 150.0}, "hiccup_pct": {"echo": 1.0}}
    report = {
        "parley": "1",
        "started": "2026-01-01",
        "seconds": 1.0,
        "machine": {"cpu": "c", "cores": 2, "memory_gb": 1.0, "python": "3.11"},
        "half": "reporting",
        "seed": 1,
        "mode": "pure",
        "stt": "oracle",
        "settings": {"orchestrator.x": "<1>"},
        "classes": by_class,
        "targets": judged(by_class),
        "speculation": speculation(SpeculationCount()),
        "latencies_ms": {"response": [250.0], "barge_in": [150.0]},
        "sweep": {"endpointing": [point], "barge_in": [stop]},
    }
    html = page(report)
    assert html.count("<svg") == 4
    assert "a&lt;b" in html
    assert "&lt;1&gt;" in html
    assert "http" not in html
    assert "interruptions missed" in html


def test_a_chart_of_nothing_is_nothing() -> None:
    assert chart([Series("a", ())], "x", "y") == ""
    assert "polyline" in chart([Series("a", cumulative([1.0, 2.0]))], "x", "y", bounds=[Bound(1.5, "t")])
