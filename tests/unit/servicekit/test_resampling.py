"""The live resampler, measured: what passes, what is stopped, and that chunks leave no trace."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from servicekit.audio import LiveResampler, resample

RATES = [
    (8000, 16000),
    (16000, 8000),
    (24000, 8000),
    (22050, 8000),
    (48000, 16000),
    (48000, 8000),
    (24000, 48000),
    (48000, 24000),
    (8000, 48000),
    (16000, 24000),
    (44100, 16000),
    (22050, 16000),
]
BY_RATE = pytest.mark.parametrize(("source_hz", "target_hz"), RATES)
Samples = NDArray[np.float32]


def tone(frequency_hz: float, rate_hz: int, seconds: float = 0.5) -> Samples:
    return np.sin(2 * np.pi * frequency_hz * np.arange(int(rate_hz * seconds)) / rate_hz).astype(np.float32)


def resampled(samples: Samples, source_hz: int, target_hz: int) -> Samples:
    resampler = LiveResampler(source_hz, target_hz)
    return np.concatenate([resampler.process(samples), resampler.flush()])


def decibels(amplitude: float) -> float:
    return 20 * math.log10(max(amplitude, 1e-9))


def tone_and_rest(samples: Samples, frequency_hz: float, rate_hz: int) -> tuple[float, float]:
    """Amplitude of the tone in ``samples``, away from the edges, and of everything else."""
    edge = rate_hz // 50
    middle = samples[edge:-edge].astype(np.float64)
    instants = np.arange(edge, edge + len(middle)) / rate_hz
    basis = np.stack([np.sin(2 * np.pi * frequency_hz * instants), np.cos(2 * np.pi * frequency_hz * instants)], axis=1)
    weights, *_ = np.linalg.lstsq(basis, middle, rcond=None)
    rest = middle - basis @ weights
    return float(np.hypot(*weights)), float(np.sqrt(2 * np.mean(rest**2)))


@BY_RATE
def test_the_pass_band_is_flat_and_its_images_are_stopped(source_hz: int, target_hz: int) -> None:
    nyquist = min(source_hz, target_hz) / 2
    for fraction in np.linspace(0.02, 0.85, 12):
        heard, rest = tone_and_rest(
            resampled(tone(fraction * nyquist, source_hz), source_hz, target_hz), fraction * nyquist, target_hz
        )
        assert abs(decibels(heard)) < 0.1, f"{fraction:.2f} of the band"
        assert decibels(rest) < -57, f"images of {fraction:.2f} of the band"


@pytest.mark.parametrize(("source_hz", "target_hz"), [rates for rates in RATES if rates[0] > rates[1]])
def test_what_the_target_cannot_hold_is_stopped_instead_of_folded_back(source_hz: int, target_hz: int) -> None:
    for frequency_hz in np.linspace(1.15 * target_hz / 2, 0.98 * source_hz / 2, 15):
        out = resampled(tone(frequency_hz, source_hz), source_hz, target_hz)
        steady = out[target_hz // 50 : -target_hz // 50]
        assert decibels(float(np.sqrt(2 * np.mean(steady.astype(np.float64) ** 2)))) < -57, f"{frequency_hz:.0f} Hz"


@BY_RATE
def test_the_delay_is_the_half_length_and_short(source_hz: int, target_hz: int) -> None:
    resampler = LiveResampler(source_hz, target_hz)
    chunk = tone(300, source_hz, 0.1)
    missing = len(chunk) * target_hz / source_hz - len(resampler.process(chunk))
    assert missing / target_hz * 1000 == pytest.approx(resampler.delay_ms, abs=1000 / target_hz)
    assert resampler.delay_ms <= 12.5 / min(source_hz, target_hz) * 1000


@BY_RATE
def test_output_is_aligned_with_input_and_as_long(source_hz: int, target_hz: int) -> None:
    samples = tone(440, source_hz, 0.25)
    out = resampled(samples, source_hz, target_hz)
    assert len(out) == math.ceil(len(samples) * target_hz / source_hz)
    ideal = np.sin(2 * np.pi * 440 * np.arange(len(out)) / target_hz)
    edge = target_hz // 100
    assert np.max(np.abs(out[edge:-edge] - ideal[edge:-edge])) < 0.01


@settings(deadline=None, max_examples=60)
@given(
    rates=st.sampled_from(RATES),
    cuts=st.lists(st.integers(0, 700), min_size=1, max_size=12),
    seed=st.integers(0, 2**16),
)
def test_any_chunks_give_the_stream_that_one_chunk_gives(rates: tuple[int, int], cuts: list[int], seed: int) -> None:
    samples = np.random.default_rng(seed).uniform(-1, 1, sum(cuts)).astype(np.float32)
    whole = resampled(samples, *rates)
    resampler = LiveResampler(*rates)
    ends = np.cumsum(cuts)
    pieces = [resampler.process(samples[end - cut : end]) for cut, end in zip(cuts, ends, strict=True)]
    pieces.append(resampler.flush())
    together = np.concatenate(pieces)
    assert together.dtype == np.float32
    assert together.shape == whole.shape
    np.testing.assert_allclose(together, whole, atol=2e-6)


@settings(deadline=None, max_examples=40)
@given(source_hz=st.integers(50, 2000), target_hz=st.integers(50, 2000), count=st.integers(0, 400))
def test_any_two_rates_keep_length_and_a_constant(source_hz: int, target_hz: int, count: int) -> None:
    out = resampled(np.full(count, 0.5, dtype=np.float32), source_hz, target_hz)
    assert len(out) == -(-count * target_hz // source_hz)
    edge = math.ceil(13 * max(1.0, target_hz / source_hz))
    if len(out) > 2 * edge:
        np.testing.assert_allclose(out[edge:-edge], 0.5, atol=1e-5)


def test_equal_rates_change_nothing_and_delay_nothing() -> None:
    resampler = LiveResampler(16000, 16000)
    samples = tone(440, 16000, 0.02)
    assert np.array_equal(resampler.process(samples), samples)
    assert resampler.delay_ms == 0
    assert resampler.flush().shape == (0,)


def test_after_flush_a_new_stream_begins() -> None:
    resampler = LiveResampler(8000, 16000)
    samples = tone(440, 8000, 0.05)
    first = np.concatenate([resampler.process(samples), resampler.flush()])
    second = np.concatenate([resampler.process(samples), resampler.flush()])
    assert np.array_equal(first, second)


def test_hours_of_a_stream_cost_no_more_than_its_first_second() -> None:
    resampler = LiveResampler(22050, 8000)
    chunk = np.zeros(441, dtype=np.float32)
    sizes = {len(resampler._history) for _ in range(3000) if resampler.process(chunk) is not None}
    assert max(sizes) <= 2 * 66
    assert resampler._position < 441 + 160


def test_impossible_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        LiveResampler(0, 8000)


def test_a_whole_utterance_is_resampled_at_once() -> None:
    out = resample(tone(440, 22050, 0.5), 22050, 16000)
    heard, rest = tone_and_rest(out, 440, 16000)
    assert len(out) == pytest.approx(8000, abs=2)
    assert out.dtype == np.float32
    assert decibels(heard) == pytest.approx(0, abs=0.05)
    assert decibels(rest) < -80
