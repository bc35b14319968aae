"""The line limits the band, sets levels and adds noise."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from servicekit.audio import decode_mulaw, level_dbfs, to_float
from toolbox.phone import over_telephone, speak
from toolbox.phone.line import band_limit, noise
from toolbox.phone.wav import WavError, mulaw_to_wav, read_wav, wav_to_mulaw


def _power_between(samples: NDArray[np.float32], low: float, high: float) -> float:
    spectrum = np.square(np.abs(np.fft.rfft(samples)))
    frequencies = np.fft.rfftfreq(samples.size, 1 / 8000)
    return float(spectrum[(frequencies >= low) & (frequencies < high)].sum())


def test_only_the_telephone_band_passes() -> None:
    white = np.random.default_rng(1).standard_normal(80_000).astype(np.float32) * 0.1
    passed = band_limit(white)
    assert passed.size == white.size
    assert _power_between(passed, 0, 200) < 0.001 * _power_between(white, 0, 200)
    assert _power_between(passed, 3600, 4000) < 0.001 * _power_between(white, 3600, 4000)
    assert _power_between(passed, 500, 3200) == pytest.approx(_power_between(white, 500, 3200), rel=0.02)


def test_speech_is_speech_and_lasts_as_long_as_it_takes() -> None:
    samples, rate = speak("what time is it")
    assert samples.dtype == np.float32
    assert 0.4 < samples.size / rate < 3.0
    faster, _ = speak("what time is it", rate_wpm=260)
    assert faster.size < samples.size


def test_level_and_noise_are_as_asked() -> None:
    samples, rate = speak("tell me a story")
    mulaw = over_telephone(samples, rate, level_dbfs=-20.0)
    heard = to_float(decode_mulaw(mulaw))
    frames = heard[: heard.size // 160 * 160].reshape(-1, 160)
    loud = np.percentile(np.sqrt(np.square(frames).mean(axis=1)), 90)
    assert 20 * np.log10(loud) == pytest.approx(-20.0, abs=0.5)
    noisy = to_float(decode_mulaw(over_telephone(samples, rate, level_dbfs=-20.0, snr_db=10.0)))
    added = level_dbfs(np.asarray(noisy - heard, np.float32))
    assert level_dbfs(heard) - added == pytest.approx(10.0, abs=0.5)


def test_noise_repeats_with_its_seed() -> None:
    assert np.array_equal(noise(1000, -40.0, seed=3), noise(1000, -40.0, seed=3))
    assert not np.array_equal(noise(1000, -40.0, seed=3), noise(1000, -40.0, seed=4))


def test_a_wav_comes_back_as_it_was() -> None:
    mulaw = bytes(range(256)) * 4
    back = np.frombuffer(wav_to_mulaw(mulaw_to_wav(mulaw)), np.uint8)
    # μ-law has two codes for zero; their samples agree.
    assert np.array_equal(decode_mulaw(back.tobytes()), decode_mulaw(mulaw))


def test_two_channels_are_mixed_down() -> None:
    samples, rate = read_wav(mulaw_to_wav(b"\x80" * 100, b"\xff" * 100))
    assert rate == 8000
    assert samples[0] == pytest.approx(float(to_float(decode_mulaw(b"\x80"))[0]) / 2, abs=1e-3)


@pytest.mark.parametrize("data", [b"", b"RIFF", b"ID3" + b"\0" * 50, b"RIFF\0\0\0\0WAVEdata\x04\0\0\0abcd"])
def test_what_is_no_wav_is_refused(data: bytes) -> None:
    with pytest.raises(WavError):
        read_wav(data)
