"""What the shared model does for several at once, and what it says of itself, on a small model of random weights."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from parley.stt.v1 import stt_pb2
from servicekit import semconv
from servicekit.audio import MULAW_8K
from servicekit.telemetry import Telemetry
from stt_service.engines.interface import Request
from stt_service.engines.whisper.decoding import Decoded, Passage, WhisperDecoder
from stt_service.engines.whisper.engine import WhisperEngine
from stt_service.engines.whisper.loading import Means, load
from stt_service.engines.whisper.speed import capacity
from stt_service.engines.whisper.windows import WHISPER_HZ, max_length, most_tokens, window_s
from stt_service.hearing import Hearing
from stt_service.settings import SttSettings, WhisperSettings
from tests.asyncs import async_test
from tests.models.whisper import build_whisper
from tests.unit.stt_service.loopback import (
    FINISH,
    Understood,
    config,
    in_pieces,
    on_the_line,
    recognize,
    serving,
    spoken,
    until,
)

pytestmark = pytest.mark.heavy

GIBBERISH = {"log_prob_threshold": -100.0, "compression_ratio_threshold": 1000.0}
SENTENCES = ["what time is it", "what is seven plus five", "good morning and how are you", "stop", "tell me a story"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the small model."""
    return build_whisper(tmp_path_factory.mktemp("models") / "small-random")


def settings(model: Path, **more: object) -> SttSettings:
    whisper = WhisperSettings.model_validate({"model": str(model), "device": "cpu", "workers": 1, **GIBBERISH, **more})
    return SttSettings(engine="faster-whisper", whisper=whisper)


@pytest.fixture(scope="module")
def decoder(model: Path) -> WhisperDecoder:
    whisper = settings(model).whisper
    return load(whisper, Means.of(whisper)).decoder


def passage(words: str, **more: object) -> Passage:
    request = {key: more.pop(key) for key in ("languages", "detect_language", "prompt", "hotwords") if key in more}
    samples = Hearing(MULAW_8K, WHISPER_HZ, longest_s=60).hear(spoken(words))
    return Passage(samples, Request(**{"languages": ("en",), **request}), **more)  # type: ignore[arg-type]


def test_a_batch_understands_what_each_of_its_passages_alone_would_be(decoder: WhisperDecoder) -> None:
    passages = [
        *(passage(words) for words in SENTENCES),
        passage("what time is it", languages=("de", "fr"), detect_language=True),
        passage("what time is it", prompt="Good evening."),
        passage("what time is it", hotwords=("Parley", "Zaphod")),
        passage("what time is it", timed=True),
        Passage(np.zeros(WHISPER_HZ, np.float32)),
        passage("what time is it", language="fr"),
    ]
    together = decoder.decode(passages, lambda: False)
    alone = [decoder.decode([one], lambda: False)[0] for one in passages]
    assert [one.text for one in together] == [one.text for one in alone]
    assert [(one.language, one.speech) for one in together] == [(one.language, one.speech) for one in alone]
    assert [one.confidence for one in together] == pytest.approx([one.confidence for one in alone], rel=1e-3)
    assert together[8].pieces == alone[8].pieces
    assert not together[9].pieces
    assert len({one.text for one in together}) > len(SENTENCES) / 2


@async_test
async def test_utterances_that_end_together_share_an_inference_and_get_their_own_texts(model: Path) -> None:
    lines = [spoken(words) for words in SENTENCES]
    async with serving(WhisperEngine(settings(model)), capacity=8) as service:
        alone = [(await recognize(service.stub, [config(), *in_pieces(line, 4000), FINISH])).text for line in lines]
    reader = InMemoryMetricReader()
    telemetry = Telemetry.recording("parley-stt", reader=reader)
    engine = WhisperEngine(settings(model, batch=4), telemetry)
    hold, held = threading.Event(), threading.Event()
    infer = engine._scheduler._infer

    def first_waits(passages: Sequence[Passage], useless: Callable[[], bool]) -> Sequence[Decoded | Exception]:
        held.set()
        assert hold.wait(30)
        return infer(passages, useless)

    engine._scheduler._infer = first_waits
    async with serving(engine, capacity=8, telemetry=telemetry) as service:

        def ask(line: bytes) -> asyncio.Task[Understood]:
            return asyncio.create_task(recognize(service.stub, [config(), *in_pieces(line, 4000), FINISH]))

        calls = [ask(lines[0])]
        # The others come while the first is being understood, or it might share its inference with some of them.
        await asyncio.to_thread(held.wait, 30)
        calls += [ask(line) for line in lines[1:]]
        await until(lambda: engine.waiting == len(lines) - 1)
        hold.set()
        texts = [(await call).text for call in calls]
    assert texts == alone
    metrics = {
        metric.name: metric.data.data_points
        for resource in (reader.get_metrics_data() or pytest.fail("no metrics")).resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    (size,) = metrics[semconv.METRIC_STT_BATCH_SIZE]
    assert (size.count, size.sum, size.max) == (2, 5, 4)  # type: ignore[union-attr]
    assert dict(size.attributes or {}) == {semconv.VOICE_STT_URGENCY: "final"}
    (wait,) = metrics[semconv.METRIC_STT_QUEUE_WAIT]
    assert wait.count == len(lines)  # type: ignore[union-attr]
    (speed,) = metrics[semconv.METRIC_STT_REAL_TIME_FACTOR]
    assert speed.count == 2  # type: ignore[union-attr]


@async_test
async def test_words_are_timed_in_order_and_within_the_audio_when_asked_for(model: Path) -> None:
    line = spoken("what is seven plus five")
    async with serving(WhisperEngine(settings(model))) as service:
        timed = await recognize(service.stub, [config(word_times=True), *in_pieces(line, 4000), FINISH])
        plain = await recognize(service.stub, [config(), *in_pieces(line, 4000), FINISH])
    words = list(timed.finals[0].words)
    assert " ".join(word.word for word in words).split() == timed.text.split()
    assert timed.text == plain.text
    assert not plain.finals[0].words
    starts = [word.start_sample for word in words]
    assert starts == sorted(starts)
    # Samples of the stream's own rate: a byte each.
    assert all(0 <= word.start_sample <= word.end_sample <= len(line) for word in words)
    assert words[-1].end_sample > 0
    assert all(0 < word.confidence <= 1 for word in words)


@async_test
async def test_noise_in_which_nobody_speaks_gives_no_text(model: Path) -> None:
    rng = np.random.default_rng(3)
    clicks = np.zeros(3 * 8000, np.float32)
    clicks[::2000] = 0.8
    async with serving(WhisperEngine(settings(model))) as service:
        for noise in (rng.standard_normal(3 * 8000).astype(np.float32) * np.float32(0.05), clicks):
            line = on_the_line(noise, 8000)
            heard = await recognize(service.stub, [config(), *in_pieces(line), FINISH])
            assert (heard.text, heard.finals[0].confidence) == ("", 0)
    async with serving(WhisperEngine(settings(model, least_speech_s=0))) as service:
        assert (await recognize(service.stub, [config(), *in_pieces(line), FINISH])).text


@async_test
async def test_capacity_is_what_this_machine_was_measured_to_serve_unless_the_settings_say(model: Path) -> None:
    measured = WhisperEngine(settings(model))
    slow = WhisperEngine(settings(model, answer_within_s=0.001))
    for engine in (measured, slow):
        await engine.open()
        await engine.close()
    # Four seconds take this model a few ms; nothing can be answered in one.
    assert 2 <= measured.info.capacity <= 1000
    assert slow.info.capacity == 1
    said = WhisperEngine(SttSettings(engine="faster-whisper", capacity=7, whisper=settings(model).whisper))
    async with serving(said) as service:
        assert (await service.stub.GetInfo(stt_pb2.GetInfoRequest())).capacity == 7


def test_as_many_are_taken_as_can_all_end_at_once_and_be_answered_in_time() -> None:
    assert capacity(0.3, workers=2, batch=1, answer_within_s=1.0) == 6
    assert capacity(2.0, workers=2, batch=4, answer_within_s=1.0) == 4
    assert capacity(0.05, workers=1, batch=16, answer_within_s=1.0) == 320
    assert capacity(5.0, workers=2, batch=1, answer_within_s=1.0) == 2


def test_windows_follow_what_was_said_and_tokens_too() -> None:
    assert [window_s(seconds * WHISPER_HZ, 10) for seconds in (0, 4, 8, 9, 20, 28, 29)] == [
        10,
        10,
        10,
        12,
        22,
        30,
        None,
    ]
    assert window_s(4 * WHISPER_HZ, 5) == 6
    assert [most_tokens(seconds * WHISPER_HZ) for seconds in (0, 1, 4, 28)] == [16, 32, 64, 224]
    assert most_tokens(4 * WHISPER_HZ, cap=14) == 14
    # CTranslate2 gives min(length / 2, length - prompt) tokens.
    for prompt, tokens in ((4, 14), (200, 14), (227, 224)):
        length = max_length(prompt, tokens)
        assert min(length // 2, length - prompt) == min(tokens, 448 - prompt)
