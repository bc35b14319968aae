"""Microsoft's cloud as an engine: the library's own code against a fake of that cloud."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog

from parley.tts.v1 import tts_pb2
from servicekit.audio import pcm
from servicekit.errors import Reason, reason_of
from servicekit.startup import StartupError
from tests.asyncs import async_test
from tests.fakes.edge_cloud import pretended
from tests.unit.tts_service.hearing import understood
from tests.unit.tts_service.loopback import FINISH, FLUSH, config, refused, serving, synthesize, text
from tts_service.edge.engine import EdgeEngine
from tts_service.edge.words import WordTrack
from tts_service.engines import open_engine
from tts_service.settings import EdgeSettings, TtsSettings

QUESTION = "what time is it"


def settings(voice: str = "", language: str = "en", **more: Any) -> TtsSettings:
    return TtsSettings(engine="edge-tts", voice=voice, language=language, edge=EdgeSettings(**more))


def test_what_the_cloud_says_is_understood_and_its_words_are_placed(monkeypatch: pytest.MonkeyPatch) -> None:
    @async_test
    async def scenario() -> None:
        async with pretended(monkeypatch) as cloud, serving(EdgeEngine(settings())) as service:
            heard = await synthesize(service.stub, [config(speed=1.1), text(1, QUESTION), FINISH])
            assert heard.ready is not None
            assert (heard.ready.engine, heard.ready.voice) == ("edge-tts", "en-US-EmmaMultilingualNeural")
            assert await understood(heard.payload) == QUESTION
            assert [QUESTION[one.text_start : one.text_end] for one in heard.ranges[1]] == QUESTION.split()
            assert heard.ranges[1][-1].end_sample <= heard.done[0].samples
            assert "rate='+10%'" in cloud.asked[-1]
            tricky = "Tom & Jerry <3 “it's” 5 > 4."
            odd = await synthesize(service.stub, [config(fmt=pcm(48_000)), text(1, tricky), FINISH])
            assert [tricky[one.text_start : one.text_end] for one in odd.ranges[1]][:2] == ["Tom", "Jerry"]

    scenario()


def test_voices_are_the_clouds_and_what_leaves_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    @async_test
    async def scenario() -> None:
        async with pretended(monkeypatch), serving(EdgeEngine(settings())) as service:
            listed = await service.stub.ListVoices(tts_pb2.ListVoicesRequest())
            assert [(one.name, one.gender) for one in listed.voices] == [
                ("en-US-EmmaMultilingualNeural", tts_pb2.GENDER_FEMALE),
                ("de-DE-KatjaNeural", tts_pb2.GENDER_FEMALE),
                ("en-US-AndrewNeural", tts_pb2.GENDER_MALE),
            ]
            info = await service.stub.GetInfo(tts_pb2.GetInfoRequest())
            assert "Microsoft's cloud" in info.limitations[0]
            german = await synthesize(service.stub, [config(language="de"), text(1, "Guten Tag."), FINISH])
            assert german.ready is not None
            assert german.ready.voice == "de-DE-KatjaNeural"

    with structlog.testing.capture_logs() as logs:
        scenario()
    assert any("is sent to Microsoft's cloud" in line["event"] for line in logs if line["log_level"] == "warning")


def test_what_fails_before_its_first_sound_is_asked_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    @async_test
    async def scenario() -> None:
        async with pretended(monkeypatch) as cloud, serving(EdgeEngine(settings())) as service:
            for fault in ("hang up", "nothing"):
                cloud.faults = [fault]
                heard = await synthesize(service.stub, [config(), text(1, QUESTION), FINISH])
                assert heard.done[0].samples > 0
                cloud.faults = [fault, fault]
                error = await refused(service.stub, [config(), text(1, "secret"), FINISH])
                assert reason_of(error) == Reason.ENGINE_FAILED
                assert "secret" not in str(error.details())
            cloud.faults = ["rubbish"]
            error = await refused(service.stub, [config(), text(1, QUESTION), FINISH])
            assert "no usable answer" in str(error.details())

    scenario()


def test_silence_is_given_up_and_cancelling_closes_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    @async_test
    async def scenario() -> None:
        own = settings(first_byte_timeout_s=0.1, connect_timeout_s=1)
        async with pretended(monkeypatch) as cloud, serving(EdgeEngine(own), capacity=1) as service:
            cloud.faults = ["silence", "silence"]
            call = service.stub.Synthesize()
            for message in (config(), text(1, QUESTION), FLUSH):
                await call.write(message)
            while len(cloud.asked) < 2:  # noqa: ASYNC110 - the fake's state
                await asyncio.sleep(0.01)
            call.cancel()
            await cloud.gone.wait()
            await service.slots.wait_idle()

    scenario()


def test_without_the_cloud_it_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    @async_test
    async def scenario() -> None:
        async with pretended(monkeypatch) as cloud:
            cloud.faults = ["nothing", "nothing"]
            with pytest.raises(StartupError, match="it does not speak"):
                await open_engine(settings())
            with pytest.raises(StartupError, match=r"tts\.voice"):
                await open_engine(settings(voice="nobody"))
        with pytest.raises(StartupError, match="needs the internet"):
            await open_engine(settings())

    scenario()


def test_words_wait_for_their_sound_and_unknown_ones_are_left_out() -> None:
    track = WordTrack("Hello, world", 1000)
    track.add("Hello", 0, 5_000_000)
    track.add("elsewhere", 5_000_000, 1_000_000)
    track.add("world", 4_000_000, 5_000_000)
    assert track.until(499) == []
    assert [(word.text_start, word.end_sample) for word in track.until(500)] == [(0, 500)]
    assert [(word.text_start, word.end_sample) for word in track.finish(800)] == [(7, 800)]
