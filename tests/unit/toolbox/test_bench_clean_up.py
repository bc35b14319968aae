"""`parley bench clean-up`: what is counted, and that a setting is really what is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.clean_up import CleanUpSettings
from stt_service.engines.pocketsphinx.engine import PocketsphinxEngine
from stt_service.settings import SttSettings
from tests.asyncs import async_test
from tests.unit.stt_service.loopback import serving
from toolbox.bench.clean_up.measuring import CLEANED, settings_of
from toolbox.bench.clean_up.speech import NoisySpeech
from toolbox.bench.clean_up.turns import KINDS, turns_with
from toolbox.bench.edits import edits
from toolbox.bench.turn_taking.corpus import CaseKind, Half
from toolbox.bench.turn_taking.pure import judged_corpus

HIGH = CleanUpSettings(noise_suppression="high")


@pytest.mark.parametrize(
    ("said", "understood", "errors"),
    [
        ("what time is it", "what time is it", 0),
        ("what time is it", "what is it", 1),
        ("what time is it", "so what time is it", 1),
        ("what time is it", "what dime is it", 1),
        ("what time is it", "", 4),
        ("stop please", "tell me a long story", 5),
        ("what time is it", "time is is it", 2),
        ("", "stop", 1),
    ],
)
def test_words_left_out_put_in_and_changed_are_errors(said: str, understood: str, errors: int) -> None:
    assert edits(said.split(), understood.split()) == errors


def test_the_settings_that_are_compared_are_those_of_the_orchestrator() -> None:
    assert [settings_of(name).wanted for name in CLEANED] == [False, True, True, True]
    assert settings_of("high + level").level_control
    assert not settings_of("high").level_control


@async_test
async def test_a_noisy_line_is_quieter_when_cleaned_and_its_end_is_noticed_either_way() -> None:
    speech = NoisySpeech("car", 20.0, cases=2)
    async with serving(PocketsphinxEngine(SttSettings(capacity=1))) as service:
        off = await speech.with_clean_up(CleanUpSettings(), service.stub)
        high = await speech.with_clean_up(HIGH, service.stub)
    assert off["utterances"] == high["utterances"] >= 2
    assert (off["noise_turned_down_db"], off["cpu_s_per_call_minute"]) == (0.0, 0.0)
    assert high["noise_turned_down_db"] > 8.0
    assert off["transcript_never_asked"] == high["transcript_never_asked"] == 0
    for figures in (off, high):
        assert figures["transcript_asked_after_ms"]["p50"] >= 100.0, "so much silence it waits for"
        assert 0 <= figures["word_error_pct"] <= 100


def test_the_corpus_is_judged_after_it_was_cleaned_and_kept_apart_from_the_other(tmp_path: Path) -> None:
    counts = {CaseKind.COMPLETE: 2}
    plain, clean = (judged_corpus(counts, Half.TUNING, 1, cache=tmp_path, clean_up=setting) for setting in (None, HIGH))
    assert len(list(tmp_path.glob("*.json"))) == 2
    assert judged_corpus(counts, Half.TUNING, 1, cache=tmp_path, clean_up=HIGH) == clean
    for before, after in zip(plain, clean, strict=True):
        assert after.noise_dbfs < before.noise_dbfs - 6.0
        for one, other in zip(before.cases, after.cases, strict=True):
            assert one.take is not None
            assert other.take is not None
            # Speech is where it was: the delay of the clean-up is taken out. The voice never says a text twice alike.
            spoken = [[p >= 0.5 for p in take.windows.probabilities] for take in (one.take, other.take)]
            assert abs(len(spoken[0]) - len(spoken[1])) <= 1
            assert sum(a != b for a, b in zip(*spoken, strict=False)) <= len(spoken[0]) // 5


def test_every_class_is_measured(tmp_path: Path) -> None:
    done: list[int] = []
    classes = turns_with(HIGH, 2, seed=1, cache=tmp_path, workers=1, on_case=done.append)
    assert set(classes) == {kind.value for kind in KINDS}
    assert all(figures["n"] == 2 for figures in classes.values())
    assert done[-1] == 2 * len(KINDS)
