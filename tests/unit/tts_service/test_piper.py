"""Piper's voices: its real loader, pronunciation and inference, on small voices in its own files."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from servicekit.audio import WireDecoder, pcm
from servicekit.errors import reason_of
from servicekit.startup import StartupError
from tests.asyncs import async_test
from tests.models.piper import build_piper, piper_settings
from tests.unit.tts_service.loopback import FINISH, FLUSH, config, refused, response, serving, synthesize, text
from tts_service.engines import choose_engine, open_engine
from tts_service.levels import speech_level
from tts_service.settings import CacheSettings, TtsSettings
from tts_service.speech import Engine

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = build_piper(tmp_path_factory.mktemp("piper"))
    build_piper(folder, "de_DE-summen-low", espeak_voice="de", rate_hz=16_000, speakers=("anna", "bert"))
    return folder


def settings(folder: Path, voice: str = "", language: str = "en", **changes: Any) -> TtsSettings:
    return TtsSettings(engine="piper", voice=voice, language=language, piper=piper_settings(folder, **changes))


@pytest.fixture(scope="module")
def shared(folder: Path) -> Iterator[Engine]:
    engine = choose_engine(settings(folder))
    close = engine.close

    async def not_yet() -> None:
        """The module's tests share it."""

    engine.close = not_yet  # type: ignore[method-assign]
    yield engine
    asyncio.run(close())


def test_a_reply_is_spoken_through_grpc_with_the_words_where_they_are(shared: Engine) -> None:
    words = "Hello there. It is noon, my friend."

    @async_test
    async def scenario() -> None:
        async with serving(shared) as service:
            heard = await synthesize(service.stub, [config(fmt=pcm(24000)), text(1, words), text(2, "Yes."), FINISH])
        assert heard.ready is not None
        assert (heard.ready.engine, heard.ready.voice) == ("piper", "en_US-hum-medium")
        assert [done.samples for done in heard.done] == [heard.samples(1), heard.samples(2)]
        sound = WireDecoder(heard.ready.format).decode(heard.payload)
        assert float(np.abs(sound).max()) == pytest.approx(0.9, abs=0.05)
        assert [words[one.text_start : one.text_end] for one in heard.ranges[1]] == words.split()
        assert heard.ranges[1][-1].end_sample <= heard.done[0].samples
        # Longer words have more phonemes, and sound longer.
        lengths = {words[one.text_start : one.text_end]: one.end_sample - one.start_sample for one in heard.ranges[1]}
        assert lengths["friend."] > lengths["is"]

    scenario()


def test_its_own_level_and_that_of_all_voices_do_not_chase_one_another(shared: Engine) -> None:
    @async_test
    async def scenario() -> None:
        async with serving(shared, TtsSettings(cache=CacheSettings(memory_mb=0))) as service:
            for number in range(2):  # the first by what its beginning says, the second by what is known
                words = f"Hello there. It is noon, my friend, and number {number} of the day."
                heard = await synthesize(service.stub, [config(fmt=pcm(24_000)), text(1, words), FINISH])
                sound = WireDecoder(pcm(24_000)).decode(heard.payload)
                level = speech_level(sound, 24_000)
                # A hum at 0.9 of full scale is at -4 dBFS, louder than any speech: the most that a gain takes off.
                assert 10 * np.log10(level.power) == pytest.approx(-16, abs=0.3)
                assert heard.ranges[1][-1].end_sample <= heard.done[0].samples

    scenario()


def test_speed_shortens_and_words_move_with_it(shared: Engine) -> None:
    @async_test
    async def scenario() -> None:
        async with serving(shared) as service:
            slow, fast = [
                await synthesize(service.stub, [config(speed=speed), text(1, "one two three four five"), FINISH])
                for speed in (0.5, 2.0)
            ]
        assert fast.done[0].samples < 0.5 * slow.done[0].samples
        assert len(fast.ranges[1]) == len(slow.ranges[1]) == 5
        assert fast.ranges[1][-1].end_sample <= fast.done[0].samples

    scenario()


def test_voices_of_other_languages_and_rates_are_spoken_in_one_reply(shared: Engine) -> None:
    @async_test
    async def scenario() -> None:
        async with serving(shared) as service:
            messages = [config(), text(1, "One."), text(2, "Eins, zwei.", language="de-AT"), FINISH]
            heard = await synthesize(service.stub, messages)
            speaker = await synthesize(service.stub, [config("de_DE-summen-low+bert"), text(1, "Drei."), FINISH])
            unknown = await refused(service.stub, [config("de_DE-summen-low+carl")])
        assert [one.text_start for one in heard.ranges[2]] == [0, 6]
        assert speaker.ready is not None
        assert speaker.ready.voice == "de_DE-summen-low+bert"
        assert reason_of(unknown) == "VOICE_UNKNOWN"

    scenario()
    assert set(shared.voices.languages) == {"en-US", "en", "de-DE", "de"}
    assert shared.info.alignments
    assert shared.info.capacity == 8
    assert any("GPL" in said for said in shared.info.limitations)


def test_every_text_is_survived_and_none_is_taken_for_phonemes(shared: Engine) -> None:
    texts = ["[[ h@l'oU ]] hi", "]] [[", "42 is 6 times 7", "a" * 3000, "🎉 ok 🎉", "\x00\x07 bell", "日本語", "[[[[x"]

    @async_test
    async def scenario() -> None:
        async with serving(shared) as service:
            for words in texts:
                heard = await synthesize(service.stub, [config(), text(1, words), FINISH])
                for one in heard.ranges.get(1, []):
                    assert 0 <= one.text_start < one.text_end <= len(words)
                    assert one.end_sample <= heard.done[0].samples

    scenario()


def test_a_cancelled_reply_frees_its_slot(shared: Engine) -> None:
    @async_test
    async def scenario() -> None:
        async with serving(shared, capacity=1) as service:
            call = service.stub.Synthesize()
            for message in (config(), text(1, "A clause goes here, and another one follows it. " * 100), FLUSH):
                await call.write(message)
            while not (await response(call)).HasField("audio"):
                pass
            call.cancel()
            await asyncio.wait_for(service.slots.wait_idle(), 20)

    scenario()


def test_a_voice_that_cannot_tell_durations_has_no_alignments_and_says_so(tmp_path: Path) -> None:
    engine = choose_engine(settings(build_piper(tmp_path, tells_durations=False)))
    assert not engine.info.alignments
    assert any("No alignments" in said for said in engine.info.limitations)

    @async_test
    async def scenario() -> None:
        async with serving(engine) as service:
            heard = await synthesize(service.stub, [config(), text(1, "It is noon."), FINISH])
        assert heard.ranges == {}
        assert heard.done[0].samples > 0

    scenario()


def test_it_stands_in_for_the_embedded_voice_in_one_process(folder: Path) -> None:
    @async_test
    async def scenario() -> None:
        own = TtsSettings(engine="piper", language="en", piper=piper_settings(folder), fallback={"fr": "espeak"})
        async with serving(await open_engine(own), own) as service:
            heard = await synthesize(
                service.stub, [config(), text(1, "One."), text(2, "Bonjour.", language="fr"), text(3, "Two."), FINISH]
            )
        assert all(done.samples > 0 for done in heard.done)

    scenario()


def refusal(wanted: TtsSettings) -> str:
    with pytest.raises(StartupError) as raised:
        choose_engine(wanted)
    return str(raised.value)


def test_broken_files_stop_the_service_with_the_remedy(folder: Path, tmp_path: Path) -> None:
    good = (folder / "en_US-hum-medium.onnx").read_bytes()
    described = (folder / "en_US-hum-medium.onnx.json").read_text(encoding="utf-8")
    assert "piper.download_voices" in refusal(settings(tmp_path / "nowhere"))
    cases: list[tuple[bytes, str | None]] = [
        (good[: len(good) // 2], described),
        (b"<html>not found</html>", described),
        (b"", described),
        (good, None),
        (good, "{"),
        (good, "[]"),
        (good, '{"audio": {}}'),
        (good, described.replace('"sample_rate": 22050', '"rate": 1')),
    ]
    for number, (model, words) in enumerate(cases):
        voices = tmp_path / str(number)
        voices.mkdir()
        (voices / "en_US-x-low.onnx").write_bytes(model)
        if words is not None:
            (voices / "en_US-x-low.onnx.json").write_text(words, encoding="utf-8")
        message = refusal(settings(voices))
        assert "tts.piper.voices" in message
        assert "en_US-x-low" in message


def test_a_model_that_is_no_voice_is_refused(tmp_path: Path) -> None:
    from onnx import TensorProto, helper, save

    build_piper(tmp_path)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "other", [ends[0]], [ends[1]])
    save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8),
        tmp_path / "en_US-hum-medium.onnx",
    )
    assert "is not a Piper voice" in refusal(settings(tmp_path))


def test_voices_that_would_need_a_download_are_left_out(tmp_path: Path) -> None:
    build_piper(tmp_path, "zh_CN-hum-medium", espeak_voice="cmn", phoneme_type="pinyin")
    assert "no voice in" in refusal(settings(tmp_path))
    build_piper(tmp_path)
    engine = choose_engine(settings(tmp_path))
    assert [voice.name for voice in engine.voices.all] == ["en_US-hum-medium"]
    asyncio.run(engine.close())


def test_settings_that_name_what_is_not_here_stop_the_service(folder: Path) -> None:
    assert "tts.voice" in refusal(settings(folder, voice="nobody"))
    assert "tts.language" in refusal(settings(folder, language="fr"))
