"""Samples as numbers."""

from __future__ import annotations

import numpy as np
import pytest

from servicekit.audio import SILENCE_DBFS, level_dbfs, to_float, to_int16


def test_floats_stay_within_minus_one_and_one() -> None:
    floats = to_float(np.array([-32768, -1, 0, 32767], dtype=np.int16))
    assert floats.dtype == np.float32
    assert floats.min() == -1.0
    assert floats.max() < 1.0


def test_integers_come_back_exactly() -> None:
    every = np.arange(-32768, 32768).astype(np.int16)
    assert np.array_equal(to_int16(to_float(every)), every)


def test_too_loud_is_clipped_not_wrapped() -> None:
    assert to_int16(np.array([1.5, -1.5, 3e38], dtype=np.float32)).tolist() == [32767, -32768, 32767]


def test_what_is_no_number_becomes_silence_not_a_click() -> None:
    broken = np.array([np.nan, np.inf, -np.inf, 0.5], dtype=np.float32)
    assert to_int16(broken).tolist() == [0, 32767, -32768, 16384]


def test_the_input_is_left_alone() -> None:
    samples = np.array([0.25, 2.0], dtype=np.float32)
    to_int16(samples)
    assert samples.tolist() == [0.25, 2.0]


def test_level_of_a_full_scale_square_wave_is_zero() -> None:
    assert level_dbfs(np.tile(np.array([1.0, -1.0], dtype=np.float32), 80)) == pytest.approx(0.0, abs=1e-4)


def test_level_of_a_sine_is_three_below_its_peak() -> None:
    sine = np.sin(2 * np.pi * 200 * np.arange(1600) / 8000).astype(np.float32) * np.float32(0.1)
    assert level_dbfs(sine) == pytest.approx(-23.01, abs=0.01)


@pytest.mark.parametrize("samples", [[], [0.0, 0.0], [1e-20, 1e-20]])
def test_silence_has_a_finite_level(samples: list[float]) -> None:
    assert level_dbfs(np.array(samples, dtype=np.float32)) == SILENCE_DBFS
