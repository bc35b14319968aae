"""Moonshine: its real library, voice detection and streaming, on a small model with random weights."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import grpc
import pytest

from parley.stt.v1 import stt_pb2
from servicekit.errors import Reason, reason_of
from servicekit.startup import StartupError
from stt_service.engines import choose_engine
from stt_service.engines.moonshine.engine import MoonshineEngine
from stt_service.engines.moonshine.files import missing_files, moonshine_missing, spells_everything
from stt_service.settings import MoonshineSettings, SttSettings
from tests.asyncs import async_test
from tests.models.moonshine import build_moonshine
from tests.unit.stt_service.loopback import (
    FINISH,
    Understood,
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

LINE = spoken("what is seven plus five and what is the time", tail_s=0.1)
SILENCE = b"\xff" * 8000


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the small model."""
    return build_moonshine(tmp_path_factory.mktemp("models") / "small-random")


def engine(model: Path, *, capacity: int = 2) -> MoonshineEngine:
    moonshine = MoonshineSettings(model=str(model), workers=1)
    return MoonshineEngine(
        SttSettings(engine="moonshine", capacity=capacity, partial_interval_ms=200, moonshine=moonshine)
    )


@async_test
async def test_real_speech_goes_through_the_real_library(model: Path) -> None:
    async with serving(engine(model)) as service:
        heard = await recognize(service.stub, [config(languages=["en-GB"]), *in_pieces(LINE), FINISH])
    assert heard.ready is not None
    assert heard.ready.engine == "moonshine"
    (final,) = heard.finals
    assert final.text
    assert (final.finalize_id, final.language, final.confidence) == (0, "en-GB", 0)
    assert final.audio_end.ToMilliseconds() == len(LINE) // 8


@async_test
async def test_it_says_what_it_can_do(model: Path) -> None:
    async with serving(engine(model)) as service:
        info = await service.stub.GetInfo(stt_pb2.GetInfoRequest())
    assert (info.engine, info.model, info.capacity) == ("moonshine", "streaming small-random", 2)
    assert list(info.languages) == ["en"]
    assert info.partials
    assert not info.word_times
    assert not info.language_detection
    assert any("Word times" in sentence for sentence in info.limitations)


@async_test
async def test_partials_come_while_somebody_speaks(model: Path) -> None:
    async with serving(engine(model)) as service:
        call = service.stub.Recognize()
        await call.write(config(partials=True))
        assert (await response(call)).ready.partials
        heard = Understood()
        for message in in_pieces(LINE):
            await call.write(message)
        while not heard.partials:
            heard.add(await response(call))
        await call.write(FINISH)
        await call.done_writing()
        while not heard.finals:
            heard.add(await response(call))
    first = heard.partials[0]
    assert first.stable_text or first.unstable_text
    assert 0 < first.audio_end.ToMilliseconds() <= len(LINE) // 8


@async_test
async def test_silence_is_heard_as_nothing(model: Path) -> None:
    async with serving(engine(model)) as service:
        for pieces in ([], in_pieces(SILENCE * 2)):
            heard = await recognize(service.stub, [config(), *pieces, FINISH])
            assert [final.text for final in heard.finals] == [""]


@async_test
async def test_an_answer_stays_when_only_silence_follows(model: Path) -> None:
    async with serving(engine(model)) as service:
        call = service.stub.Recognize()
        for message in (config(), *in_pieces(LINE), finalize(1)):
            await call.write(message)
        assert (await response(call)).HasField("ready")
        first = (await response(call)).final
        for message in (*in_pieces(SILENCE), FINISH):
            await call.write(message)
        await call.done_writing()
        last = (await response(call)).final
    assert first.text
    assert last.text == first.text
    assert last.audio_end.ToMilliseconds() == first.audio_end.ToMilliseconds() + 1000


@async_test
async def test_who_goes_on_after_an_answer_is_heard_as_if_there_had_been_none(model: Path) -> None:
    """The line that was going on is heard again with what follows: a word is never cut at the question."""
    half = len(LINE) // 320 * 160
    async with serving(engine(model)) as service:
        # What comes before sets the library's voice detection going in the same way for both.
        await recognize(service.stub, [config(), *in_pieces(LINE), FINISH])
        whole = await recognize(service.stub, [config(), *in_pieces(LINE), FINISH])
        asked = await recognize(
            service.stub, [config(), *in_pieces(LINE[:half]), finalize(1), *in_pieces(LINE[half:]), FINISH]
        )
        asked_last = asked.finals[-1]
    assert asked_last.finalize_id == 0
    assert abs(len(asked_last.text.split()) - len(whole.text.split())) <= 1


@async_test
async def test_lines_are_joined_to_one_text(model: Path) -> None:
    line = (LINE + SILENCE) * 3
    async with serving(engine(model)) as service:
        alone = await recognize(service.stub, [config(), *in_pieces(LINE), FINISH])
        heard = await recognize(service.stub, [config(), *in_pieces(line), FINISH])
    assert len(heard.text.split()) > 2 * len(alone.text.split())


@async_test
async def test_two_at_once_do_not_disturb_one_another(model: Path) -> None:
    other = spoken("tell me a story", "en-gb-x-rp")
    async with serving(engine(model)) as service:
        messages = [[config(), *in_pieces(line), FINISH] for line in (LINE, other)]
        await recognize(service.stub, messages[0])
        alone = [await recognize(service.stub, one) for one in messages]
        together = await asyncio.gather(*(recognize(service.stub, one) for one in messages))
    assert all(heard.text for heard in alone)
    # The library's voice detection remembers what came before, so a line may begin a moment earlier or later.
    for one, two in zip(alone, together, strict=True):
        assert abs(len(one.text.split()) - len(two.text.split())) <= 1


@async_test
async def test_cancelling_frees_the_transcriber(model: Path) -> None:
    own = engine(model, capacity=1)
    async with serving(own) as service:
        for _ in range(3):
            call = service.stub.Recognize()
            for message in (config(partials=True), *in_pieces(LINE)):
                await call.write(message)
            assert (await response(call)).HasField("ready")
            error = await refused(service.stub, [config()])
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            call.cancel()
            await service.slots.wait_idle()
        assert (await recognize(service.stub, [config(), *in_pieces(LINE), FINISH])).text


@async_test
async def test_hotwords_of_any_spelling_are_taken(model: Path) -> None:
    async with serving(engine(model)) as service:
        hints = config(hotwords=["Parley", "Zoë", "a, b", "東京", " "])
        assert (await recognize(service.stub, [hints, *in_pieces(LINE), FINISH])).text


@async_test
async def test_another_language_is_refused(model: Path) -> None:
    async with serving(engine(model)) as service:
        error = await refused(service.stub, [config(languages=["de"])])
        assert reason_of(error) == Reason.LANGUAGE_UNSUPPORTED


def test_a_vocabulary_that_cannot_spell_everything_is_noticed(tmp_path: Path, model: Path) -> None:
    assert spells_everything(model / "tokenizer.bin")
    words = tmp_path / "tokenizer.bin"
    words.write_bytes(b"\x05<unk>" + bytes([200, 1]) + b"x" * (72 + 128) + b"\x01a\x00")
    assert not spells_everything(words)


async def refusal(model: Path) -> str:
    own = engine(model)
    try:
        with pytest.raises(StartupError) as raised:
            await own.open()
    finally:
        await own.close()
    return str(raised.value)


@async_test
async def test_what_cannot_be_loaded_stops_it_with_the_remedy(model: Path, tmp_path: Path) -> None:
    broken = tmp_path / "tiny"
    for name in ("decoder_kv.ort", "tokenizer.bin", "streaming_config.json", "frontend.ort"):
        shutil.rmtree(broken, ignore_errors=True)
        shutil.copytree(model, broken)
        (broken / name).unlink()
        message = await refusal(broken)
        assert name.removesuffix(".ort") in message
        assert "run `parley models pull moonshine-tiny`" in message
    for name, content in (
        ("encoder.ort", b"<html>not found</html>"),
        ("decoder_kv.ort", (model / "decoder_kv.ort").read_bytes()[:9000]),
        ("streaming_config.json", b"{}"),
        ("tokenizer.bin", b""),
        ("adapter.ort", (model / "encoder.ort").read_bytes()),
    ):
        shutil.rmtree(broken)
        shutil.copytree(model, broken)
        (broken / name).write_bytes(content)
        message = await refusal(broken)
        assert "cannot be loaded" in message, name
        assert "run `parley models pull moonshine-tiny`" in message


def test_a_missing_model_is_said_with_the_command_that_fetches_it(tmp_path: Path) -> None:
    assert "run `parley models pull moonshine-tiny`" in moonshine_missing(MoonshineSettings())
    elsewhere = MoonshineSettings(model="small", model_dir=tmp_path / "moonshine")
    assert f"run `parley models pull moonshine-small --dir {tmp_path}`" in moonshine_missing(elsewhere)
    with pytest.raises(StartupError, match=r"stt\.moonshine\.model"):
        choose_engine(SttSettings(engine="moonshine", moonshine=elsewhere))
    (tmp_path / "moonshine" / "small").mkdir(parents=True)
    assert moonshine_missing(elsewhere) == ""
    assert "frontend.model.ort and frontend.weights.ort" in missing_files(tmp_path / "moonshine" / "small")


def test_the_built_model_is_what_the_library_expects(model: Path) -> None:
    assert missing_files(model) == []
    assert json.loads((model / "streaming_config.json").read_text(encoding="utf-8"))["eos_id"] == 2
