"""Engines that stand in: for other languages, and where the chosen one fails before it is heard."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from parley.tts.v1 import tts_pb2
from servicekit.errors import Reason, reason_of
from servicekit.startup import StartupError
from tests.asyncs import async_test
from tests.fakes.openai_server import failing
from tests.fakes.speech_servers import FakeSpeechServer, breaking_off, encoded, spoken
from tests.fakes.tts_service_engine import FakeEngine
from tests.unit.tts_service.hearing import understood
from tests.unit.tts_service.loopback import FINISH, PLAIN, config, refused, response, serving, synthesize, text
from tts_service.engines import open_engine
from tts_service.espeak.engine import EspeakEngine
from tts_service.settings import KokoroSettings, OpenAiServerSettings, PiperSettings, TtsSettings
from tts_service.speech import Engine
from tts_service.standing_in import EngineWithStandIns

QUESTION = "what time is it"


def combined(main: Engine, fallback: dict[str, str]) -> EngineWithStandIns:
    return EngineWithStandIns(main, {"espeak": EspeakEngine(TtsSettings())}, fallback)


@async_test
async def test_the_voice_follows_the_language_to_another_engine() -> None:
    async with serving(combined(FakeEngine(), {"fr": "espeak"})) as service:
        listed = await service.stub.ListVoices(tts_pb2.ListVoicesRequest(language="fr-CA"))
        assert next((one.name, one.engine) for one in listed.voices) == ("fr", "espeak")
        heard = await synthesize(
            service.stub, [config(), text(1, "ab"), text(2, "Bonjour.", language="fr"), text(3, "c"), FINISH]
        )
        assert heard.ready is not None
        assert (heard.ready.voice, heard.ready.engine) == ("one", "fake")
        assert heard.done[0].samples == pytest.approx(1600, abs=10)
        assert 2000 < heard.done[1].samples < 16_000
        assert heard.done[2].samples == pytest.approx(800, abs=20)
        french = await synthesize(service.stub, [config(language="fr"), text(1, "Bonjour, ça va ?"), FINISH])
        assert french.ready is not None
        assert (french.ready.voice, french.ready.engine) == ("fr", "espeak")
        assert [piece.text_start for piece in french.ranges[1]] == [0, 9, 12]
        assert french.ranges[1][-1].end_sample <= french.done[0].samples


@async_test
async def test_what_is_listed_is_what_there_is_and_no_more() -> None:
    async with serving(combined(FakeEngine(), {"fr": "espeak"})) as service:
        voices = (await service.stub.ListVoices(tts_pb2.ListVoicesRequest())).voices
        assert {tag.split("-")[0] for one in voices for tag in one.languages} == {"en", "de", "fr"}
        info = await service.stub.GetInfo(tts_pb2.GetInfoRequest())
        assert set(info.languages) == {tag for one in voices for tag in one.languages}
        assert any("espeak stands in" in said for said in info.limitations)
        for named, reason in (("es", Reason.VOICE_UNKNOWN), ("en-us", Reason.VOICE_UNKNOWN)):
            assert reason_of(await refused(service.stub, [config(named)])) == reason
        assert reason_of(await refused(service.stub, [config(language="es")])) == Reason.LANGUAGE_UNSUPPORTED
        variant = await synthesize(service.stub, [config("fr+f3"), text(1, "Bonjour."), FINISH])
        assert variant.ready is not None
        assert (variant.ready.voice, variant.ready.engine) == ("fr+f3", "espeak")


@async_test
async def test_a_star_means_every_other_language() -> None:
    async with serving(combined(FakeEngine(), {"*": "espeak"})) as service:
        for language, voice in (("de-AT", "zwei"), ("en", "one"), ("es", "es"), ("pt-BR", "pt-br")):
            heard = await synthesize(service.stub, [config(language=language), text(1, "a"), FINISH])
            assert heard.ready is not None
            assert heard.ready.voice == voice


@async_test
async def test_an_engine_that_fails_before_it_is_heard_is_replaced() -> None:
    engine = combined(FakeEngine(fails_on="w"), {"en": "espeak"})
    async with serving(engine, capacity=1) as service:
        heard = await synthesize(service.stub, [config(), text(1, QUESTION), text(2, "ab"), FINISH])
        assert await understood(heard.payload[: heard.done[0].samples]) == QUESTION
        # The next segment is the engine's own again.
        assert heard.done[1].samples == pytest.approx(1600, abs=10)
        # Heard already: another voice in the middle of a word would be worse than an error.
        error = await refused(service.stub, [config(), text(1, "abw"), FINISH])
        assert reason_of(error) == Reason.ENGINE_FAILED
        await service.slots.wait_idle()


@async_test
async def test_without_a_stand_in_for_the_language_the_failure_is_told() -> None:
    async with serving(combined(FakeEngine(fails_on="!"), {"fr": "espeak"})) as service:
        error = await refused(service.stub, [config(), text(1, "!a"), FINISH])
        assert reason_of(error) == Reason.ENGINE_FAILED


@async_test
async def test_cancelling_stops_whichever_speaks_and_frees_the_slot() -> None:
    engine = combined(FakeEngine(fails_on="!"), {"en": "espeak"})
    async with serving(engine, capacity=1) as service:
        for words in ("abc " * 50, "!one two three " * 50):
            call = service.stub.Synthesize()
            await call.write(config())
            await call.write(text(1, words))
            await call.write(FINISH)
            while not (await response(call)).HasField("audio"):
                pass
            call.cancel()
            await asyncio.wait_for(service.slots.wait_idle(), 20)


@async_test
async def test_a_speech_server_that_goes_away_is_stood_in_for() -> None:
    async with FakeSpeechServer() as server:
        own = OpenAiServerSettings(base_url=server.root)
        settings = PLAIN.model_copy(update={"engine": "openai", "openai": own, "fallback": {"*": "espeak"}})
        async with serving(await open_engine(settings), settings) as service:
            heard = await synthesize(service.stub, [config(), text(1, QUESTION), FINISH])
            assert heard.ready is not None
            assert heard.ready.engine == "openai"
            server.then(failing(500))
            heard = await synthesize(service.stub, [config(), text(1, QUESTION), FINISH])
            assert await understood(heard.payload) == QUESTION
            server.then(breaking_off(encoded(spoken("one two three four"), "pcm")))
            error = await refused(service.stub, [config(), text(1, QUESTION), FINISH])
            assert reason_of(error) == Reason.ENGINE_FAILED
            await server.stop()
            heard = await synthesize(service.stub, [config(), text(1, QUESTION), FINISH])
            assert await understood(heard.payload) == QUESTION


@async_test
async def test_a_stand_in_that_cannot_is_blamed_by_its_setting(tmp_path: Path) -> None:
    async with FakeSpeechServer() as server:
        own = OpenAiServerSettings(base_url=server.root)
        with pytest.raises(StartupError, match=r"tts\.fallback, espeak in 'zu'"):
            await open_engine(TtsSettings(engine="openai", openai=own, fallback={"zu": "espeak"}))
        nothing = PiperSettings(voices=tmp_path)
        with pytest.raises(StartupError, match=r"tts\.fallback, piper in 'de': .*no voice"):
            await open_engine(TtsSettings(engine="openai", openai=own, piper=nothing, fallback={"de": "piper"}))
    with pytest.raises(ValueError, match="neither a language"):
        TtsSettings(fallback={"": "espeak"})


@async_test
async def test_an_engine_cannot_stand_in_for_itself(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"tts\.fallback"):
        await open_engine(TtsSettings(engine="espeak", fallback={"de": "espeak"}))
    nowhere = KokoroSettings(model=tmp_path / "none.pth")
    engine = await open_engine(TtsSettings(engine="auto", kokoro=nowhere, fallback={"*": "espeak"}))
    assert engine.info.name == "espeak", "nobody chose it, so nothing is wrong"
    await engine.close()
