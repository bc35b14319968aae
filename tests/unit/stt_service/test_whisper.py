"""faster-whisper: its real loader and real inference on a small model with random weights."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from parley.stt.v1 import stt_pb2
from servicekit.audio import pcm
from servicekit.errors import Reason, reason_of
from servicekit.startup import StartupError
from stt_service.engines.whisper.decoding import WhisperDecoder
from stt_service.engines.whisper.engine import WhisperEngine
from stt_service.engines.whisper.recordings import RecordingDecoder
from stt_service.engines.whisper.scheduling import DroppedError
from stt_service.settings import SttSettings, WhisperSettings
from tests.asyncs import async_test
from tests.models.whisper import build_whisper
from tests.unit.stt_service.loopback import (
    FINISH,
    audio,
    config,
    finalize,
    in_pieces,
    recognize,
    refused,
    response,
    serving,
    spoken,
)

pytestmark = pytest.mark.heavy

GIBBERISH = {"log_prob_threshold": -100.0, "compression_ratio_threshold": 1000.0}
"""Random weights are never sure of anything: the gates that keep inventions out must be open to see a text at all."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the small model."""
    return build_whisper(tmp_path_factory.mktemp("models") / "small-random")


def settings(model: Path, gates: dict[str, float] = GIBBERISH, *, capacity: int = 2) -> SttSettings:
    whisper = WhisperSettings.model_validate({"model": str(model), "device": "cpu", "workers": 1, **gates})
    return SttSettings(engine="faster-whisper", capacity=capacity, partial_interval_ms=200, whisper=whisper)


@async_test
async def test_real_speech_goes_through_the_real_model(model: Path) -> None:
    async with serving(WhisperEngine(settings(model))) as service:
        line = spoken("what time is it")
        first = await recognize(service.stub, [config(), *in_pieces(line), FINISH])
        again = await recognize(service.stub, [config(), audio(line), FINISH])
    assert first.ready is not None
    assert first.ready.engine == "faster-whisper"
    (final,) = first.finals
    assert final.text
    assert (final.finalize_id, final.language, final.language_confidence) == (0, "en", 0)
    assert 0 < final.confidence < 1
    assert final.audio_end.ToMilliseconds() == len(line) // 8
    assert again.text == final.text


@async_test
async def test_wideband_audio_goes_in_at_its_own_rate(model: Path) -> None:
    async with serving(WhisperEngine(settings(model))) as service:
        line = spoken("what time is it", fmt=pcm(16_000))
        heard = await recognize(service.stub, [config(pcm(16_000)), *in_pieces(line, 999), FINISH])
    assert heard.text


@async_test
async def test_finalize_may_be_asked_again_as_the_utterance_grows(model: Path) -> None:
    async with serving(WhisperEngine(settings(model))) as service:
        call = service.stub.Recognize()
        await call.write(config())
        assert (await response(call)).HasField("ready")
        for number in (1, 2):
            for message in in_pieces(spoken("what is seven")):
                await call.write(message)
            await call.write(finalize(number))
            final = (await response(call)).final
            assert final.finalize_id == number
        await call.write(FINISH)
        await call.done_writing()
        last = (await response(call)).final
        assert (last.finalize_id, last.text, last.audio_end) == (0, final.text, final.audio_end)


@async_test
async def test_partials_come_while_the_utterance_grows(model: Path) -> None:
    async with serving(WhisperEngine(settings(model))) as service:
        call = service.stub.Recognize()
        await call.write(config(partials=True))
        assert (await response(call)).ready.partials
        for message in in_pieces(spoken("what is seven plus five")):
            await call.write(message)
        partial = (await response(call)).partial
        assert partial.stable_text or partial.unstable_text
        call.cancel()
        await service.slots.wait_idle()


@async_test
async def test_the_language_is_found_among_those_that_are_possible(model: Path) -> None:
    async with serving(WhisperEngine(settings(model))) as service:
        pieces = in_pieces(spoken("good morning"))
        among = await recognize(
            service.stub, [config(languages=["de-AT", "fr"], detect_language=True), *pieces, FINISH]
        )
        anything = await recognize(service.stub, [config(languages=[]), *pieces, FINISH])
        certain = await recognize(service.stub, [config(languages=["nb", "en"]), *pieces, FINISH])
    assert among.finals[0].language in {"de-AT", "fr"}
    assert 0.5 <= among.finals[0].language_confidence <= 1
    assert 0 < anything.finals[0].language_confidence < 1
    assert (certain.finals[0].language, certain.finals[0].language_confidence) == ("nb", 0)


@async_test
async def test_a_language_that_whisper_lacks_is_refused(model: Path) -> None:
    async with serving(WhisperEngine(settings(model))) as service:
        error = await refused(service.stub, [config(languages=["tlh"])])
        assert reason_of(error) == Reason.LANGUAGE_UNSUPPORTED


@async_test
async def test_hints_may_fill_the_models_whole_context(model: Path) -> None:
    async with serving(WhisperEngine(settings(model))) as service:
        hints = config(prompt="yes " * 500, hotwords=["Parley"] * 200)
        assert (await recognize(service.stub, [hints, *in_pieces(spoken("stop")), FINISH])).finals


@async_test
async def test_a_recording_longer_than_a_window_is_transcribed_whole(model: Path) -> None:
    async with serving(WhisperEngine(settings(model))) as service:
        line = spoken("tell me a long story and another one after it", snr_db=60) * 12
        recording = config(profile=stt_pb2.PROFILE_RECORDING)
        heard = await recognize(service.stub, [recording, audio(line), FINISH])
        live = await recognize(service.stub, [config(), audio(line), FINISH])
    assert heard.finals[0].audio_end.ToMilliseconds() == len(line) // 8 > 30_000
    assert live.text


@async_test
async def test_silence_is_nothing_said_and_never_reaches_the_model(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(WhisperEngine(settings(model))) as service:
        monkeypatch.setattr(WhisperDecoder, "decode", _never)
        monkeypatch.setattr(RecordingDecoder, "decode", _never)
        for payload in (b"", b"\xff", b"\xff" * 16_000):
            heard = await recognize(service.stub, [config(), audio(payload), FINISH])
            assert (heard.text, heard.finals[0].confidence) == ("", 0)


GATES = {
    "an improbable text": {"log_prob_threshold": -0.1},
    "a text that repeats itself": {"compression_ratio_threshold": 1.0},
}


@pytest.mark.parametrize("gate", GATES.values(), ids=GATES.keys())
def test_what_the_model_may_have_invented_is_dropped(gate: dict[str, float], model: Path) -> None:
    @async_test
    async def scenario() -> None:
        async with serving(WhisperEngine(settings(model, {**GIBBERISH, **gate}))) as service:
            line = spoken("what is twenty one plus thirty four " * 3)
            heard = await recognize(service.stub, [config(), *in_pieces(line), FINISH])
            assert (heard.text, heard.finals[0].confidence) == ("", 0)

    scenario()


@async_test
async def test_cancelled_work_stops_between_steps_and_its_slot_is_busy_until_then(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    began, go_on = asyncio.Event(), asyncio.Event()
    stopped: list[bool] = []

    def step(self: WhisperDecoder, passages: object, useless: Callable[[], bool]) -> None:
        loop.call_soon_threadsafe(began.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(30)
        stopped.append(useless())
        raise DroppedError

    engine = WhisperEngine(settings(model, capacity=1))
    async with serving(engine) as service:
        with monkeypatch.context() as patch:
            patch.setattr(WhisperDecoder, "decode", step)
            call = service.stub.Recognize()
            for message in (config(), *in_pieces(spoken("stop")), FINISH):
                await call.write(message)
            await began.wait()
            call.cancel()
            assert reason_of(await refused(service.stub, [config()])) == Reason.CAPACITY
            go_on.set()
            await service.slots.wait_idle()
        assert (await recognize(service.stub, [config(), *in_pieces(spoken("stop")), FINISH])).text


@async_test
async def test_a_model_that_fails_fails_its_utterance_only(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(WhisperEngine(settings(model))) as service:
        with monkeypatch.context() as patch:
            patch.setattr(WhisperDecoder, "decode", _never)
            error = await refused(service.stub, [config(), *in_pieces(spoken("stop")), FINISH])
        assert reason_of(error) == Reason.ENGINE_FAILED
        assert "never" not in (error.details() or "")
        assert (await recognize(service.stub, [config(), *in_pieces(spoken("stop")), FINISH])).text


@async_test
async def test_get_info_tells_the_models_languages_and_what_it_can_do(model: Path) -> None:
    async with serving(WhisperEngine(settings(model))) as service:
        info = await service.stub.GetInfo(stt_pb2.GetInfoRequest())
    assert (info.engine, info.model, info.capacity) == ("faster-whisper", "small-random", 2)
    assert {"en", "de", "jv", "zh"} <= set(info.languages)
    assert (info.partials, info.word_times, info.language_detection, info.punctuation) == (True, True, True, True)


def _copy(model: Path, folder: Path) -> Path:
    folder.mkdir()
    for file in model.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def _without_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def _without_weights(folder: Path) -> None:
    (folder / "model.bin").unlink()


def _cut_short(folder: Path) -> None:
    weights = folder / "model.bin"
    weights.write_bytes(weights.read_bytes()[:100_000])


def _garbled(folder: Path) -> None:
    (folder / "model.bin").write_bytes(b"not a model at all" * 100)


def _of_another_architecture(folder: Path) -> None:
    # The file begins with its version and the name of its specification.
    weights = (folder / "model.bin").read_bytes()
    (folder / "model.bin").write_bytes(weights.replace(b"WhisperSpec", b"OtherShapes", 1))


def _with_a_broken_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")


BROKEN = {
    "no tokenizer": (_without_tokenizer, "tokenizer.json"),
    "no weights": (_without_weights, "model.bin"),
    "weights cut short": (_cut_short, "cannot be loaded"),
    "weights garbled": (_garbled, "cannot be loaded"),
    "another architecture": (_of_another_architecture, "cannot be loaded"),
    "a broken tokenizer": (_with_a_broken_tokenizer, "cannot be loaded"),
}


@pytest.mark.parametrize(("spoil", "complaint"), BROKEN.values(), ids=BROKEN.keys())
def test_a_model_that_is_not_whole_stops_the_start_with_the_remedy(
    spoil: Callable[[Path], None], complaint: str, model: Path, tmp_path: Path
) -> None:
    @async_test
    async def scenario() -> None:
        folder = _copy(model, tmp_path / "spoilt")
        spoil(folder)
        engine = WhisperEngine(settings(folder))
        with pytest.raises(StartupError, match=complaint) as stopped:
            await engine.open()
        await engine.close()
        assert "stt.whisper.model" in str(stopped.value)
        assert str(folder) in str(stopped.value)

    scenario()


def _never(*_: object, **__: object) -> None:
    raise AssertionError("never to be called")
