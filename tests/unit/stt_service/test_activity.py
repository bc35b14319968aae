"""Where the last sound that may be speech lies, on real speech over the telephone's noise."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from servicekit.audio import MULAW_8K
from stt_service.engines.whisper.activity import Activity
from stt_service.engines.whisper.windows import WHISPER_HZ
from stt_service.hearing import Hearing
from tests.unit.stt_service.loopback import spoken

SENTENCES = ["what is twenty one plus thirty four", "stop", "my shoes have a leaf", "she gave us half of six"]


def heard(line: bytes) -> NDArray[np.float32]:
    return Hearing(MULAW_8K, WHISPER_HZ, longest_s=60).hear(line)


def activity_of(samples: NDArray[np.float32], piece: int = 320) -> Activity:
    activity = Activity(silence_dbfs=-55)
    for start in range(0, len(samples), piece):
        activity.hear(samples[start : start + piece])
    return activity


@pytest.mark.parametrize("words", SENTENCES)
@pytest.mark.parametrize("snr_db", [25, 35, 60])
def test_quiet_after_speech_is_known_to_hold_none(words: str, snr_db: float) -> None:
    tail_s = 0.8
    samples = heard(spoken(words, tail_s=tail_s, snr_db=snr_db))
    activity = activity_of(samples)
    assert 0 < activity.speech_end <= len(samples) - 0.5 * tail_s * WHISPER_HZ
    assert activity.is_covered(len(samples) - round(0.2 * tail_s * WHISPER_HZ))


@pytest.mark.parametrize("words", SENTENCES)
@pytest.mark.parametrize("snr_db", [10, 25, 60])
def test_a_cut_inside_speech_is_never_enough(words: str, snr_db: float) -> None:
    samples = heard(spoken(words, tail_s=0.0, lead_s=0.0, snr_db=snr_db))
    activity = activity_of(samples)
    # The synthesiser itself pauses at the end of a sentence.
    voiced = int(np.flatnonzero(np.abs(heard(spoken(words, tail_s=0.0, lead_s=0.0, snr_db=80))) > 0.02)[-1])
    for share in (0.3, 0.6, 0.9, 0.97):
        assert not activity.is_covered(round(share * voiced))


def test_speech_as_loud_as_its_noise_is_always_taken_for_going_on() -> None:
    samples = heard(spoken("what time is it", tail_s=1.0, snr_db=3))
    assert not activity_of(samples).is_covered(len(samples) - WHISPER_HZ // 4)


def test_silence_holds_no_speech_and_pieces_of_any_size_are_told_alike() -> None:
    assert activity_of(np.zeros(40_000, np.float32)).speech_end == 0
    samples = heard(spoken("what time is it", tail_s=0.5))
    assert len({activity_of(samples, piece).speech_end for piece in (1, 77, 320, 5000, len(samples))}) == 1
