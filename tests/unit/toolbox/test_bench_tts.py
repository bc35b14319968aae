"""The parts of `bench tts` that need no service: counting words, spoiling sound, judging targets."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.audio import decode_mulaw, encode_mulaw, level_dbfs, resample, to_float, to_int16
from toolbox.bench.tts.client import SpokenWord
from toolbox.bench.tts.round_trip import CONTROLS, clipped, dropped_frames, word_errors, wrong_rate
from toolbox.bench.tts.targets import targets
from tts_service import espeak_speech

words = st.lists(st.sampled_from(["what", "time", "is", "it"]), max_size=8)


def placed(said: list[str]) -> list[SpokenWord]:
    """All in one place, so that their order alone tells."""
    return [SpokenWord(word, 0.0, 0.3) for word in said]


def speech() -> bytes:
    samples, rate_hz = espeak_speech("What time is it now?", "en-us")
    return encode_mulaw(to_int16(resample(samples, rate_hz, 8000)))


@pytest.mark.parametrize(
    ("heard", "errors"),
    [
        ("what time is it", 0),
        ("what time it", 1),
        ("what time is it now", 1),
        ("that time is it", 1),
        ("time what is it", 2),
        ("", 4),
    ],
)
def test_words_are_changed_added_or_missing(heard: str, errors: int) -> None:
    assert word_errors(placed(["what", "time", "is", "it"]), placed(heard.split())) == errors


@pytest.mark.parametrize(("late_s", "errors"), [(0.04, 0), (-0.04, 0), (0.1, 2), (-0.1, 2)])
def test_a_word_that_is_heard_elsewhere_has_not_come_back(late_s: float, errors: int) -> None:
    said = [SpokenWord("what", 0.0, 0.2), SpokenWord("time", 0.2, 0.6)]
    heard = [SpokenWord(word.text, word.start_s + late_s, word.end_s + late_s) for word in said]
    assert word_errors(said, heard) == errors


@given(words, words)
def test_errors_are_as_many_from_either_side_and_never_more_than_words(one: list[str], other: list[str]) -> None:
    errors = word_errors(placed(one), placed(other))
    assert errors == word_errors(placed(other), placed(one))
    assert abs(len(one) - len(other)) <= errors <= max(len(one), len(other))
    assert (errors == 0) is (one == other)


def test_a_tenth_of_the_frames_is_missing() -> None:
    sound = bytes(range(200)) * 160
    left = dropped_frames(sound, random.Random(1))
    assert len(left) % 160 == 0
    assert 0.8 * len(sound) < len(left) < 0.98 * len(sound)


def test_sound_of_another_rate_lasts_twice_as_long() -> None:
    sound = speech()
    assert len(wrong_rate(sound, random.Random(1))) == 2 * len(sound)


def test_clipped_sound_is_mostly_at_full_scale() -> None:
    sound = to_float(decode_mulaw(clipped(speech(), random.Random(1))))
    assert level_dbfs(sound) > -5.0
    assert float(np.mean(np.abs(sound) > 0.95)) > 0.3


def distribution(p95: float) -> dict[str, float]:
    return {"n": 9, "p50": 1.0, "p95": p95, "p99": p95, "max": p95}


def test_each_target_is_met_missed_or_was_not_measured() -> None:
    engines = {"espeak": {"first_audio_ms": distribution(12.0), "cancel_ms": distribution(0.5)}}
    figures = {
        "round_trip_word_pct": 97.0,
        "round_trip": {"controls": dict.fromkeys(CONTROLS, 40.0) | {"clipping": 88.0}},
        "soak": {"growth_pct": 1.0, "cache_bytes": 9, "cache_bound_bytes": 8},
    }
    met = {row["target"]: row["met"] for row in targets(engines, figures)}
    assert met["espeak: first audio, 20 callers, p95"] is False
    assert met["espeak: cancelled to silent, p95"] is True
    assert met["cached: first audio, 20 callers, p95"] is None
    assert met["round trip: words recognised"] is True
    assert met["round trip, control clipping: words recognised"] is False
    assert met["round trip, control wrong_rate: words recognised"] is True
    assert met["soak: growth of memory"] is True
    assert met["soak: cache"] is False
