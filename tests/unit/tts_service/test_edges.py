"""Silence before speech, and cuts."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tts_service.edges import FadedEnd, LeadingSilence, fade_edges, trim_pauses

RATE = 16_000


def tone(seconds: float) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * 300 * np.arange(int(RATE * seconds)) / RATE)).astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(RATE * seconds), dtype=np.float32)


def test_silence_before_speech_is_dropped_but_for_10_ms() -> None:
    trimmer = LeadingSilence(RATE)
    heard = trimmer.trim(np.concatenate([silence(0.3), tone(0.5)]))
    assert abs(len(heard) - RATE * 0.51) <= 2
    assert trimmer.dropped == RATE * 0.8 - len(heard)


@given(st.integers(1, 2000))
def test_it_does_not_matter_how_the_sound_is_cut_into_chunks(size: int) -> None:
    sound = np.concatenate([silence(0.13), tone(0.2), silence(0.1), tone(0.1)])
    whole = LeadingSilence(RATE).trim(sound)
    trimmer = LeadingSilence(RATE)
    parts = [trimmer.trim(sound[start : start + size]) for start in range(0, len(sound), size)]
    joined = np.concatenate(parts)
    assert len(joined) == len(whole)
    np.testing.assert_allclose(joined, whole, atol=0.01)


def test_pauses_later_in_the_reply_stay() -> None:
    trimmer = LeadingSilence(RATE)
    trimmer.trim(tone(0.1))
    assert len(trimmer.trim(silence(1.0))) == RATE


def test_an_engine_that_whispers_is_heard_after_all() -> None:
    trimmer = LeadingSilence(RATE)
    whisper = np.full(RATE // 2, 0.001, dtype=np.float32)
    heard = [len(trimmer.trim(whisper)) for _ in range(6)]
    assert heard[:3] == [0, 0, 0]
    assert heard[4:] == [RATE // 2, RATE // 2]


def test_what_was_held_back_comes_at_the_passages_end() -> None:
    trimmer = LeadingSilence(RATE)
    assert len(trimmer.trim(silence(0.5))) == 0
    assert len(trimmer.release()) == RATE * 10 // 1000


def test_faded_edges_begin_and_end_in_silence() -> None:
    faded = fade_edges(np.ones(1000, dtype=np.float32), RATE)
    assert faded[0] == 0.0
    assert faded[-1] == 0.0
    assert float(faded[500]) == 1.0
    assert len(fade_edges(np.ones(1, dtype=np.float32), RATE)) == 1


def test_pauses_around_a_piece_are_shortened() -> None:
    heard, cut = trim_pauses(np.concatenate([silence(0.4), tone(0.5), silence(0.6)]), RATE, before_ms=40, after_ms=200)
    assert abs(cut - RATE * 0.36) <= 4
    assert abs(len(heard) - RATE * 0.74) <= 8


def test_a_silent_piece_stays_as_it_is() -> None:
    heard, cut = trim_pauses(silence(0.4), RATE, before_ms=40, after_ms=200)
    assert (len(heard), cut) == (RATE * 0.4, 0)


@given(st.integers(1, 2000))
def test_an_end_is_faded_out_however_the_sound_is_cut_into_chunks(size: int) -> None:
    sound = np.full(3000, 0.5, dtype=np.float32)
    end = FadedEnd(RATE)
    parts = [end.pass_on(sound[start : start + size]) for start in range(0, len(sound), size)]
    faded = np.concatenate([*parts, end.end()])
    assert len(faded) == len(sound)
    assert faded[-1] == 0.0
    np.testing.assert_array_equal(faded[:-80], sound[:-80])
    assert float(np.abs(np.diff(faded)).max()) < 0.01


def test_speech_that_begins_with_a_bang_gets_a_millisecond_to_rise() -> None:
    trimmer = LeadingSilence(RATE)
    heard = np.concatenate(
        [trimmer.trim(np.full(5, 0.5, dtype=np.float32)), trimmer.trim(np.full(500, 0.5, np.float32))]
    )
    assert heard[0] == 0.0
    assert float(np.diff(heard).max()) < 0.04
    assert float(heard[RATE // 1000]) == 0.5
    assert len(heard) == 505
