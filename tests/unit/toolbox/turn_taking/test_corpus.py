"""The corpus says the truth about its own sound, and is the same every time."""

from __future__ import annotations

import ast
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import toolbox.bench.turn_taking.corpus as corpus_package
from servicekit.audio import decode_mulaw, level_dbfs, to_float
from toolbox.bench.turn_taking.corpus import (
    PURE_COUNTS,
    REAL_COUNTS,
    TURN_KINDS,
    CallPlan,
    CaseKind,
    Half,
    Speaker,
    Take,
    calls,
    half_of,
    slots,
    some,
    written,
)
from toolbox.bench.turn_taking.corpus.places import dictated, split_unfinished, unfinished_closing, whole
from toolbox.bench.turn_taking.corpus.take import LEAD_MS, spoken_take
from toolbox.bench.turn_taking.corpus.texts import ALICE, BACKCHANNELS, HOLMES, INTERRUPTIONS, TEMPLATES, of_half

SPEAKER = Speaker("en-us", 160, 50, level_dbfs=-20.0, noise_dbfs=-65.0)
COUNTS = dict.fromkeys(CaseKind, 2)


@pytest.fixture(scope="module")
def corpus() -> list[CallPlan]:
    return list(calls(COUNTS, Half.REPORTING, seed=7))


def level_between(take: Take, from_ms: float, to_ms: float) -> float:
    samples = to_float(decode_mulaw(take.mulaw))
    return level_dbfs(samples[round(from_ms * 8) : round(to_ms * 8)])


def test_speech_ends_in_the_sound_where_the_truth_says() -> None:
    take = spoken_take([whole("Pray take a seat.")], (), SPEAKER, seed=1)
    end = take.speech_end_ms
    assert level_between(take, end - 20, end) > -52.0
    assert level_between(take, end + 5, end + 400) < -58.0
    assert take.speech_start_ms == LEAD_MS
    assert level_between(take, LEAD_MS, LEAD_MS + 60) > -50.0
    assert level_between(take, 0, LEAD_MS - 5) < -58.0


def test_a_pause_is_silent_from_its_beginning_to_its_end_and_speech_stands_at_both() -> None:
    take = spoken_take([whole("Who are you?"), whole("We are all mad here.")], [500.0], SPEAKER, seed=2)
    ((begin, end),) = take.pauses
    assert end - begin == pytest.approx(500.0, abs=0.2)
    assert level_between(take, begin + 5, end - 5) < -58.0
    assert level_between(take, begin - 40, begin) > -50.0
    assert level_between(take, end, end + 60) > -50.0


def test_a_class_of_unfinished_pauses_has_pauses_of_its_length(corpus: list[CallPlan]) -> None:
    bounds = {CaseKind.PAUSE_SHORT: (300, 600), CaseKind.PAUSE_LONG: (600, 1200), CaseKind.PAUSE_CLAUSE: (300, 1200)}
    seen = set()
    for call in corpus:
        for case in call.cases:
            if case.kind in bounds and case.take is not None:
                low, high = bounds[case.kind]
                ((begin, end),) = case.take.pauses
                assert low <= end - begin <= high
                seen.add(case.kind)
    assert seen == set(bounds)


def test_words_lie_in_order_inside_the_speech(corpus: list[CallPlan]) -> None:
    for call in corpus:
        for case in call.cases:
            take = case.take
            if take is None or case.kind in {CaseKind.NOISE, CaseKind.BABBLE}:
                continue
            assert take.words[0].start_ms == pytest.approx(take.speech_start_ms)
            assert take.words[-1].end_ms == pytest.approx(take.speech_end_ms, abs=1.0)
            for word, following in zip(take.words, take.words[1:], strict=False):
                assert word.start_ms <= word.end_ms <= following.start_ms + 0.01


def test_what_was_heard_at_a_pause_is_written_without_what_comes_after_it() -> None:
    found = split_unfinished("I would like to book a table for two.", random.Random(3))
    assert found is not None
    place, pieces = found
    take = spoken_take(pieces, [400.0], SPEAKER, seed=3)
    ((begin, _),) = take.pauses
    heard = written([word for word in take.words if word.end_ms <= begin + 1])
    assert place in {"article", "preposition", "conjunction", "filler"}
    assert heard == " ".join(pieces[0].written) + unfinished_closing(" ".join(pieces[0].written))
    assert written(take.words).endswith("two.")


def test_dictated_digits_are_written_in_groups() -> None:
    pieces = dictated("My number is {digits}.", random.Random(4))
    take = spoken_take(pieces, [300.0] * (len(pieces) - 1), SPEAKER, seed=4)
    groups = written(take.words).removeprefix("My number is ").rstrip(".").split()
    assert len(groups) == len(pieces)
    assert all(group.isdigit() for group in groups)


def test_the_same_seed_makes_the_same_corpus_and_another_seed_another() -> None:
    counts = {CaseKind.COMPLETE: 2, CaseKind.PAUSE_LONG: 2, CaseKind.NOISE: 2, CaseKind.INTERRUPTION: 1}
    once, again = list(calls(counts, Half.TUNING, 1)), list(calls(counts, Half.TUNING, 1))
    for call, same in zip(once, again, strict=True):
        assert (call.call_id, call.speaker, call.seed, call.echo) == (same.call_id, same.speaker, same.seed, same.echo)
        for case, twin in zip(call.cases, same.cases, strict=True):
            assert (case.case_id, case.detail, case.onset_ms) == (twin.case_id, twin.detail, twin.onset_ms)
            assert case.take is not None
            assert twin.take is not None
            assert written(case.take.words) == written(twin.take.words)
            # The voice keeps the phase of its last sound: a sample more or less is all that may differ.
            assert case.take.speech_end_ms == pytest.approx(twin.take.speech_end_ms, abs=10.0)
    other = list(calls(counts, Half.TUNING, 2))
    assert [call.speaker for call in other] != [call.speaker for call in once]


def test_the_halves_share_no_sentence_and_both_have_some() -> None:
    for texts in (ALICE, HOLMES, TEMPLATES, BACKCHANNELS, INTERRUPTIONS):
        tuning, reporting = of_half(texts, Half.TUNING), of_half(texts, Half.REPORTING)
        assert tuning
        assert reporting
        assert not set(tuning) & set(reporting)
        assert {half_of(text) for text in tuning} == {Half.TUNING}


def test_every_case_is_dealt_to_exactly_one_call() -> None:
    dealt = Counter(slot for members in slots(REAL_COUNTS, Half.REPORTING, 1) for slot in members)
    assert set(dealt.values()) == {1}
    assert Counter(kind for kind, _ in dealt) == Counter(dict(REAL_COUNTS))


def test_the_corpus_is_as_large_as_was_promised() -> None:
    assert REAL_COUNTS[CaseKind.COMPLETE] >= 60
    assert REAL_COUNTS[CaseKind.PAUSE_SHORT] + REAL_COUNTS[CaseKind.PAUSE_LONG] >= 80
    assert REAL_COUNTS[CaseKind.INTERRUPTION] >= 60
    for kind in (CaseKind.PAUSE_CLAUSE, CaseKind.BACKCHANNEL, CaseKind.ECHO, CaseKind.NOISE):
        assert REAL_COUNTS[kind] >= 40
    assert all(PURE_COUNTS[kind] >= 600 for kind in CaseKind)
    assert min(some(REAL_COUNTS, 0.01).values()) == 2


def test_only_calls_in_which_the_caller_has_the_floor_get_brief_replies(corpus: list[CallPlan]) -> None:
    for call in corpus:
        assert all((case.kind in TURN_KINDS) == call.brief for case in call.cases)
        assert all((case.opening is None) == call.brief for case in call.cases)


def test_the_line_noise_goes_on_under_the_speech_at_its_level() -> None:
    noisy = Speaker("en", 160, 50, level_dbfs=-20.0, noise_dbfs=-45.0)
    take = spoken_take([whole("Take some more tea.")], (), noisy, seed=5)
    assert level_between(take, 20, LEAD_MS - 20) == pytest.approx(-45.0, abs=1.5)
    assert np.abs(level_between(take, take.speech_end_ms + 20, take.length_ms) + 45.0) < 1.5


def test_the_generator_does_not_import_the_engine() -> None:
    folder = Path(corpus_package.__file__ or "").parent
    for source in folder.glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not any(name.startswith("orchestrator") for name in names), source.name
