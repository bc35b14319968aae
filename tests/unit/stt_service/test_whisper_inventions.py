"""Row 58 of the catalogue of faults: what Whisper invents where nobody speaks is never given out.

The engine and its decoding are real; the model is small, its weights are random, and it holds that nobody speaks, as a
real one does of a hiss for which it invents thanks for watching. With the gates open it is heard to talk; with the
default ones it is not.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from stt_service.engines.whisper.engine import WhisperEngine
from stt_service.settings import SttSettings, WhisperSettings
from tests.asyncs import async_test
from tests.models.whisper import build_whisper
from tests.unit.stt_service.loopback import (
    FINISH,
    Loopback,
    config,
    finalize,
    in_pieces,
    on_the_line,
    recognize,
    serving,
)

pytestmark = pytest.mark.heavy

RATE_HZ = 16_000
SECONDS = 1.5
OPEN = {
    "least_speech_s": 0.0,
    "log_prob_threshold": -100.0,
    "no_speech_threshold": 1.0,
    "compression_ratio_threshold": 1000.0,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_whisper(tmp_path_factory.mktemp("models") / "small-random", hears_nobody=True)


def settings(model: Path, gates: dict[str, float]) -> SttSettings:
    whisper = WhisperSettings.model_validate({"model": str(model), "device": "cpu", "workers": 1, **gates})
    return SttSettings(engine="faster-whisper", partial_interval_ms=200, whisper=whisper)


def silence() -> NDArray[np.float32]:
    return np.zeros(int(SECONDS * RATE_HZ), np.float32)


def noise(dbfs: float) -> NDArray[np.float32]:
    rush = np.random.default_rng(7).standard_normal(int(SECONDS * RATE_HZ)).astype(np.float32)
    return rush * np.float32(10 ** (dbfs / 20))


def hum() -> NDArray[np.float32]:
    return (0.1 * np.sin(2 * np.pi * 100 * np.arange(int(SECONDS * RATE_HZ)) / RATE_HZ)).astype(np.float32)


SOUNDS = {
    "silence": silence(),
    "a line's hiss": noise(-65.0),
    "a loud hiss": noise(-25.0),
    "a hum": hum(),
}


async def heard(service: Loopback, samples: NDArray[np.float32]) -> list[str]:
    """Every text that the service gives out about a sound: partials, an early final, the last one."""
    pieces = in_pieces(on_the_line(samples, RATE_HZ, noise_dbfs=-120))
    half = len(pieces) // 2
    messages = [config(partials=True), *pieces[:half], finalize(1), *pieces[half:], FINISH]
    understood = await recognize(service.stub, messages)
    return [
        *(partial.stable_text + partial.unstable_text for partial in understood.partials),
        *(final.text for final in understood.finals),
    ]


@pytest.mark.parametrize("sound", list(SOUNDS))
def test_row_58_nothing_is_given_out_where_nobody_speaks(model: Path, sound: str) -> None:
    @async_test
    async def scenario() -> None:
        async with serving(WhisperEngine(settings(model, {}))) as service:
            texts = await heard(service, SOUNDS[sound])
        assert texts
        assert set(texts) == {""}

    scenario()


@async_test
async def test_it_is_the_gates_that_keep_the_models_inventions_in(model: Path) -> None:
    async with serving(WhisperEngine(settings(model, OPEN))) as service:
        assert "" not in await heard(service, SOUNDS["a loud hiss"])
        assert "" not in await heard(service, SOUNDS["a hum"])
        # What is as quiet as this is not even given to the model.
        assert set(await heard(service, SOUNDS["silence"])) == {""}
        assert set(await heard(service, SOUNDS["a line's hiss"])) == {""}
