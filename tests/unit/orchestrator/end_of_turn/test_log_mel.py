"""The features are Whisper's, value for value."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from orchestrator.end_of_turn.log_mel import SAMPLES, last_8_s, log_mel


def sounds() -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(5)
    time = np.arange(SAMPLES) / 16_000
    noise = random.standard_normal(SAMPLES).astype(np.float32)
    sweep = np.sin(2 * np.pi * (50 + 450 * time) * time).astype(np.float32)
    return {
        "noise": noise * np.float32(0.1),
        "a whisper of noise": noise * np.float32(1e-4),
        "a sweep from 50 Hz to 8 kHz": sweep * np.float32(0.8),
        "3 s after silence": last_8_s(noise[:48_000] * np.float32(0.05)),
        "10 ms after silence": last_8_s(sweep[:160]),
        "an offset": np.full(SAMPLES, 0.25, np.float32) + noise * np.float32(0.01),
        "silence": np.zeros(SAMPLES, np.float32),
    }


@pytest.mark.heavy
@pytest.mark.parametrize("name", list(sounds()))
def test_every_value_is_that_of_the_reference_implementation(name: str) -> None:
    transformers = pytest.importorskip("transformers")
    reference = transformers.WhisperFeatureExtractor(chunk_length=8)
    sound = sounds()[name]
    expected = reference(
        sound,
        sampling_rate=16_000,
        padding="max_length",
        max_length=SAMPLES,
        truncation=True,
        do_normalize=True,
        return_tensors="np",
    ).input_features[0]
    features = log_mel(sound)
    assert features.dtype == np.float32
    assert features.shape == expected.shape == (80, 800)
    np.testing.assert_allclose(features, expected, atol=1e-4)


def test_level_does_not_matter() -> None:
    sound = sounds()["noise"]
    np.testing.assert_allclose(log_mel(sound * np.float32(0.1)), log_mel(sound), atol=1e-3)


def test_a_tone_lights_up_the_band_it_lies_in_and_no_other() -> None:
    time = np.arange(SAMPLES) / 16_000
    features = log_mel(np.sin(2 * np.pi * 1000 * time).astype(np.float32))
    # 1 kHz is 15 mels of the 45.2 to 8 kHz, which the 80 bands divide into 81 equal steps.
    assert abs(int(features[:, 400].argmax()) - (15 / 45.245 * 81 - 1)) <= 1
    assert features[60:, 400].max() < features[:, 400].max() - 1


def test_what_is_shorter_than_8_s_stands_at_the_end_and_of_what_is_longer_the_end_is_kept() -> None:
    short = np.arange(1, 101, dtype=np.float32)
    padded = last_8_s(short)
    assert padded.shape == (SAMPLES,)
    assert not padded[:-100].any()
    np.testing.assert_array_equal(padded[-100:], short)
    long = np.arange(SAMPLES + 7, dtype=np.float32)
    np.testing.assert_array_equal(last_8_s(long), long[7:])
    assert last_8_s(np.zeros(0, np.float32)).shape == (SAMPLES,)


def test_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="128000"):
        log_mel(np.zeros(16_000, np.float32))
