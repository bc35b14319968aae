"""The neural voice: its real loader and real inference, on a small model with random weights."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from servicekit.audio import WireDecoder, pcm
from servicekit.errors import reason_of
from servicekit.startup import StartupError
from tests.asyncs import async_test
from tests.models.kokoro import KokoroFiles, build_kokoro
from tests.unit.tts_service.loopback import FINISH, FLUSH, config, refused, response, serving, synthesize, text
from tts_service.engines import choose_engine
from tts_service.kokoro.engine import KokoroEngine
from tts_service.settings import TtsSettings
from tts_service.speech import Engine
from tts_service.voices import LanguageUnsupportedError

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> KokoroFiles:
    return build_kokoro(tmp_path_factory.mktemp("kokoro"), ("af_heart", "bm_george", "ef_dora", "narrator"))


@pytest.fixture(autouse=True)
def _nobody_is_asked_for_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **_: Any) -> Any:
        host = str(arguments[0])
        if host not in {"127.0.0.1", "localhost"}:
            raise AssertionError(f"a connection to {host} was tried")
        return original(*arguments)

    original = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def settings(files: KokoroFiles, **changes: Any) -> TtsSettings:
    return TtsSettings(engine="kokoro", kokoro=files.settings(**changes))


@pytest.fixture(scope="module")
def shared(files: KokoroFiles) -> Iterator[Engine]:
    engine = choose_engine(settings(files, voice_languages={"narrator": "fr"}, workers=1))
    close = engine.close

    async def not_yet() -> None:
        """The module's tests share it."""

    engine.close = not_yet  # type: ignore[method-assign]
    yield engine
    asyncio.run(close())


def test_a_reply_is_spoken_through_grpc(shared: Engine) -> None:
    @async_test
    async def scenario() -> None:
        async with serving(shared) as service:
            messages = [config(fmt=pcm(24000)), text(1, "Hello there."), text(2, "It is noon, my friend."), FINISH]
            heard = await synthesize(service.stub, messages)
        assert heard.ready is not None
        assert (heard.ready.engine, heard.ready.voice) == ("kokoro", "af_heart")
        assert [done.samples for done in heard.done] == [heard.samples(1), heard.samples(2)]
        assert min(done.samples for done in heard.done) > 2400
        sound = WireDecoder(heard.ready.format).decode(heard.payload)
        assert np.isfinite(sound).all()
        assert float(np.abs(sound).max()) > 0.1
        said = [("It is noon, my friend.")[piece.text_start : piece.text_end] for piece in heard.ranges[2]]
        assert said == ["It", "is", "noon,", "my", "friend."]
        assert heard.ranges[2][-1].end_sample <= heard.done[1].samples

    scenario()


def test_info_and_voices_say_what_there_is(shared: Engine) -> None:
    assert shared.info.name == "kokoro"
    assert "random" in shared.info.model
    assert shared.info.capacity == 1
    assert [voice.name for voice in shared.voices.all] == ["af_heart", "ef_dora", "bm_george", "narrator"]
    assert set(shared.voices.languages) == {"en-US", "en", "es", "en-GB", "fr-FR", "fr"}
    assert shared.voices.choose("", "en-GB").name == "bm_george"
    assert shared.voices.choose("", "fr-CA").name == "narrator"
    assert any("by rule" in limitation for limitation in shared.info.limitations)
    with pytest.raises(LanguageUnsupportedError):
        shared.voices.choose("", "de")


def test_other_languages_are_pronounced_offline(shared: Engine) -> None:
    @async_test
    async def scenario() -> None:
        async with serving(shared) as service:
            heard = await synthesize(service.stub, [config("ef_dora"), text(1, "Hola, ¿qué tal?"), FINISH])
        assert heard.done[0].samples > 0
        assert [piece.text_start for piece in heard.ranges[1]] == [0, 6, 11]

    scenario()


def test_voices_are_blended_as_kokoros_users_write_it(shared: Engine) -> None:
    @async_test
    async def scenario() -> None:
        async with serving(shared) as service:
            heard = {}
            for name in ("af_heart", "bm_george", "af_heart:0.7+bm_george:0.3", "AF_heart(7)+bm_george(3)"):
                reply = await synthesize(service.stub, [config(name, fmt=pcm(24000)), text(1, "It is noon."), FINISH])
                assert reply.ready is not None
                heard[name] = reply
            for unknown in ("af_heart+nobody", "af_heart:0+bm_george:0", "af_heart:x+bm_george", "af_heart+", "+"):
                assert reason_of(await refused(service.stub, [config(unknown)])) == "VOICE_UNKNOWN"
        blends = [heard[name] for name in list(heard)[2:]]
        assert {blend.ready.voice for blend in blends if blend.ready} == {"af_heart:0.7+bm_george:0.3"}
        assert len({reply.payload for reply in heard.values()}) >= 3
        assert all(blend.done[0].samples > 0 for blend in blends)

    scenario()


def test_a_blend_is_the_mean_of_its_voices_by_weight(files: KokoroFiles) -> None:
    import torch

    engine = choose_engine(settings(files, workers=1))
    assert isinstance(engine, KokoroEngine)
    both = {name: torch.load(files.voices / f"{name}.pt", weights_only=True) for name in ("af_heart", "bm_george")}
    voice = engine.voices.named("af_heart:3+bm_george")
    assert (voice.tags, voice.gender) == (("en-US", "en"), "neutral")
    assert torch.allclose(engine.pack(voice.name), 0.75 * both["af_heart"] + 0.25 * both["bm_george"], atol=1e-3)
    asyncio.run(engine.close())


def test_a_blend_can_be_the_voice_of_the_settings(files: KokoroFiles) -> None:
    engine = choose_engine(
        TtsSettings(engine="kokoro", voice="af_heart:0.5+bm_george:0.5", kokoro=files.settings(workers=1))
    )
    assert engine.voices.default.name == "af_heart:0.5+bm_george:0.5"
    asyncio.run(engine.close())


def test_a_long_segment_is_cut_into_clauses_and_stops_between_them(shared: Engine) -> None:
    @async_test
    async def scenario() -> None:
        async with serving(shared) as service:
            call = service.stub.Synthesize()
            await call.write(config())
            await call.write(text(1, "A clause of some length goes here, and another one follows it. " * 100))
            await call.write(FLUSH)
            while not (await response(call)).HasField("audio"):
                pass
            call.cancel()
            await service.slots.wait_idle()
            heard = await synthesize(service.stub, [config(), text(1, "yes"), FINISH])
        assert heard.done[0].samples > 0

    scenario()


def test_what_the_model_cannot_take_at_once_is_cut(shared: Engine) -> None:
    @async_test
    async def scenario() -> None:
        async with serving(shared) as service:
            heard = await synthesize(service.stub, [config(speed=2), text(1, "9" * 60), FINISH])
        assert heard.done[0].samples > 0

    scenario()


def test_an_unknown_voice_is_refused_and_never_fetched(shared: Engine) -> None:
    @async_test
    async def scenario() -> None:
        async with serving(shared) as service:
            error = await refused(service.stub, [config("af_bella")])
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert reason_of(error) == "VOICE_UNKNOWN"

    scenario()


def test_auto_takes_kokoro_when_its_files_are_here(files: KokoroFiles) -> None:
    engine = choose_engine(TtsSettings(engine="auto", kokoro=files.settings()))
    assert engine.info.name == "kokoro"
    asyncio.run(engine.close())


def test_english_is_pronounced_by_dictionary_where_the_spacy_model_is_installed(
    files: KokoroFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_spacy_model(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    engine = choose_engine(settings(files))
    assert not any("by rule" in limitation for limitation in engine.info.limitations)

    words = "“Hello,” she said: it costs $5 today."

    @async_test
    async def scenario() -> None:
        async with serving(engine) as service:
            heard = await synthesize(service.stub, [config("af_heart"), text(1, words), FINISH])
        said = [words[piece.text_start : piece.text_end] for piece in heard.ranges[1]]
        assert [word.strip("“”,.:") for word in said] == ["Hello", "she", "said", "it", "costs", "$5", "today"]

    scenario()
    sys.modules.pop("en_core_web_sm", None)


def install_spacy_model(folder: Path) -> None:
    """An untrained stand-in for `en_core_web_sm`, as a package that spaCy finds and loads."""
    import spacy

    nlp = spacy.blank("en")
    tagger = nlp.add_pipe("tagger")
    for tag in ("NN", "VBZ", "PRP", "IN"):
        tagger.add_label(tag)  # type: ignore[attr-defined]
    nlp.initialize()
    nlp.meta["name"], nlp.meta["version"] = "core_web_sm", "3.8.0"
    package = folder / "en_core_web_sm"
    package.mkdir()
    nlp.to_disk(package / "en_core_web_sm-3.8.0")
    shutil.copy(package / "en_core_web_sm-3.8.0" / "meta.json", package / "meta.json")
    (package / "__init__.py").write_text(
        "from spacy.util import load_model_from_init_py\n\n\n"
        "def load(**overrides):\n    return load_model_from_init_py(__file__, **overrides)\n",
        encoding="utf-8",
    )
    info = folder / "en_core_web_sm-3.8.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: en_core_web_sm\nVersion: 3.8.0\n", encoding="utf-8")


def refusal(wanted: TtsSettings) -> str:
    with pytest.raises(StartupError) as raised:
        choose_engine(wanted)
    return str(raised.value)


def test_broken_files_stop_the_service_with_the_remedy(files: KokoroFiles, tmp_path: Path) -> None:
    import torch

    truncated = tmp_path / "truncated.pth"
    truncated.write_bytes(files.model.read_bytes()[:1_000_000])
    html = tmp_path / "page.pth"
    html.write_text("<html>not found</html>", encoding="utf-8")
    empty = tmp_path / "empty.pth"
    torch.save({}, empty)
    other = tmp_path / "other.pth"
    torch.save({"bert": {"weight": torch.zeros(3)}, "decoder": {}}, other)
    foreign = tmp_path / "foreign.pth"
    torch.save({"encoder": {"weight": torch.zeros(3)}}, foreign)
    for model in (truncated, html, empty, other, foreign):
        message = refusal(settings(files, model=model))
        assert "tts.kokoro.model" in message
        assert "parley models pull kokoro" in message

    larger = json.loads(files.config.read_text(encoding="utf-8"))
    larger["n_layer"] = 2
    cases = {"not json": "{", "another model": '{"architectures": []}', "other sizes": json.dumps(larger)}
    for name, content in cases.items():
        path = tmp_path / "config.json"
        path.write_text(content, encoding="utf-8")
        assert "tts.kokoro." in refusal(settings(files, config=path)), name

    voices = tmp_path / "voices"
    voices.mkdir()
    assert "tts.kokoro.voices" in refusal(settings(files, voices=voices))
    torch.save(torch.zeros(3, 3), voices / "af_heart.pt")
    assert "af_heart.pt" in refusal(settings(files, voices=voices))
    (voices / "af_heart.pt").write_bytes(b"garbage")
    assert "af_heart.pt" in refusal(settings(files, voices=voices))


def test_row_57_a_model_that_gives_nan_is_refused_at_the_start_and_in_a_reply(
    files: KokoroFiles, tmp_path: Path
) -> None:
    import torch

    weights = torch.load(files.model, weights_only=True)
    bias = weights["decoder"]["module.generator.conv_post.bias"]
    weights["decoder"]["module.generator.conv_post.bias"] = torch.full_like(bias, float("nan"))
    broken = tmp_path / "broken.pth"
    torch.save(weights, broken)

    @async_test
    async def scenario() -> None:
        engine = choose_engine(settings(files, model=broken, workers=1))
        with pytest.raises(StartupError, match=r"tts\.kokoro\.model.*NaN"):
            await engine.warm_up()
        async with serving(engine) as service:
            error = await refused(service.stub, [config(), text(1, "It is noon."), FINISH])
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            assert reason_of(error) == "ENGINE_FAILED"
            assert "samples that are no numbers" in (error.details() or "")
            await service.slots.wait_idle()

    scenario()


def test_settings_that_name_what_is_not_here_stop_the_service(files: KokoroFiles) -> None:
    assert "tts.voice:" in refusal(TtsSettings(engine="kokoro", voice="af_bella", kokoro=files.settings()))
    assert "tts.language:" in refusal(TtsSettings(engine="kokoro", language="de", kokoro=files.settings()))
    assert "voice_languages" in refusal(settings(files, voice_languages={"nobody": "en"}))
    assert "voice_languages" in refusal(settings(files, voice_languages={"narrator": "de"}))
