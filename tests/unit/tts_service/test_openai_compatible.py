"""A speech server as an engine: the real client against servers that behave as the known ones do, and worse."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import numpy as np
import pytest

from parley.tts.v1 import tts_pb2
from servicekit.audio import WireDecoder, pcm
from servicekit.errors import Reason, reason_of
from servicekit.startup import StartupError
from tests.asyncs import async_test
from tests.fakes.openai_server import answering, failing, hanging_up, silent
from tests.fakes.speech_servers import (
    Act,
    FakeSpeechServer,
    Style,
    breaking_off,
    encoded,
    endless,
    in_chunks,
    spoken,
    stalling,
)
from tests.unit.tts_service.hearing import understood
from tests.unit.tts_service.loopback import (
    FINISH,
    FLUSH,
    Heard,
    Loopback,
    config,
    refused,
    response,
    serving,
    synthesize,
    text,
)
from tts_service.engines import open_engine
from tts_service.openai_compatible.engine import OpenAiCompatibleEngine
from tts_service.openai_compatible.voices import ServerVoices, catalogue, read_list
from tts_service.settings import OpenAiServerSettings, TtsSettings
from tts_service.voices import LanguageUnsupportedError, VoiceUnknownError

QUESTION = "what time is it"
"""A sentence that the demo's recogniser knows."""
SECRET = "secret words"


def settings(server: FakeSpeechServer, *, voice: str = "", language: str = "en", **more: Any) -> TtsSettings:
    openai = OpenAiServerSettings.model_validate({"base_url": server.root, **more})
    return TtsSettings(engine="openai", voice=voice, language=language, openai=openai)


def engine(server: FakeSpeechServer, **more: Any) -> OpenAiCompatibleEngine:
    return OpenAiCompatibleEngine(settings(server, **more))


async def say(service: Loopback, words: str = QUESTION, **more: Any) -> Heard:
    return await synthesize(service.stub, [config(**more), text(1, words), FINISH])


async def failed(service: Loopback, words: str = QUESTION) -> grpc.aio.AioRpcError:
    return await refused(service.stub, [config(), text(1, words), FINISH])


@pytest.mark.parametrize(
    ("style", "audio_format"), [("kokoro-fastapi", "pcm"), ("openai-edge-tts", "mp3"), ("bare", "pcm")]
)
def test_what_any_kind_of_server_says_is_understood_again(style: Style, audio_format: str) -> None:
    @async_test
    async def scenario() -> None:
        async with FakeSpeechServer(style) as server, serving(engine(server)) as service:
            heard = await say(service)
            assert heard.ready is not None
            assert heard.ready.engine == "openai"
            assert await understood(heard.payload) == QUESTION
            asked = server.requests[-1].body
        assert asked["response_format"] == audio_format
        assert asked["input"] == QUESTION
        assert asked["speed"] == 1.0
        assert asked["model"] == "tts-1"
        assert asked["voice"] == {"kokoro-fastapi": "af_bella", "openai-edge-tts": "en-US-AndrewNeural"}.get(
            style, "alloy"
        )
        # Half a second and more of silence at the end is not waited for.
        assert heard.finished is not None
        assert heard.finished.duration.ToMilliseconds() < 1800

    scenario()


@pytest.mark.parametrize("audio_format", ["wav", "flac", "opus"])
def test_the_settings_choose_another_format(audio_format: str) -> None:
    @async_test
    async def scenario() -> None:
        async with FakeSpeechServer() as server, serving(engine(server, audio_format=audio_format)) as service:
            heard = await say(service)
            assert await understood(heard.payload) == QUESTION
            assert {request.body["response_format"] for request in server.requests} == {audio_format}

    scenario()


@async_test
async def test_sound_is_sent_on_while_the_server_still_speaks() -> None:
    first = encoded(spoken("one two three"), "pcm")
    async with FakeSpeechServer() as server, serving(engine(server)) as service:
        server.then(stalling(first))
        call = service.stub.Synthesize()
        for message in (config(fmt=pcm(24_000)), text(1, "one two three four"), FLUSH):
            await call.write(message)
        assert (await response(call)).HasField("ready")
        assert (await response(call)).HasField("audio")
        call.cancel()
        await service.slots.wait_idle()


@async_test
async def test_odd_bytes_are_carried_from_chunk_to_chunk() -> None:
    data = encoded(spoken(QUESTION), "pcm")
    async with FakeSpeechServer() as server, serving(engine(server)) as service:
        server.then(in_chunks(data, 4800), in_chunks(data, 333))
        even, odd = [await say(service, fmt=pcm(24_000)) for _ in range(2)]
    assert even.payload == odd.payload
    assert len(even.payload) > 24_000


@async_test
async def test_the_rate_is_the_headers_whatever_the_settings_say() -> None:
    for how in ("wav", "trial", "media type"):
        async with FakeSpeechServer("bare") as server:
            server.rate_hz = 16_000
            async with serving(engine(server, audio_format="wav" if how == "wav" else "auto")) as service:
                if how == "media type":
                    told = "audio/pcm; rate=8000"
                    server.then(in_chunks(encoded(spoken(QUESTION, 8000), "pcm", 8000), 999, told))
                assert await understood((await say(service)).payload) == QUESTION


@async_test
async def test_a_long_text_is_asked_for_in_parts_and_the_speed_is_passed_on() -> None:
    words = "A clause of some length goes here, and another one follows it. " * 4
    async with FakeSpeechServer() as server:
        own = settings(server, piece_characters=80, extra_body={"lang_code": "a"}).model_copy(update={"speed": 1.5})
        async with serving(OpenAiCompatibleEngine(own)) as service:
            before = len(server.requests)
            await say(service, words, speed=2.0)
            asked = [request.body for request in server.requests[before:]]
    assert len(asked) == 4
    assert " ".join(body["input"] for body in asked).split() == words.split()
    assert {body["speed"] for body in asked} == {3.0}
    assert {body["lang_code"] for body in asked} == {"a"}


@async_test
async def test_voices_are_the_servers_with_their_languages() -> None:
    async with FakeSpeechServer("openai-edge-tts") as server, serving(engine(server)) as service:
        listed = await service.stub.ListVoices(tts_pb2.ListVoicesRequest())
        assert [(one.name, list(one.languages), one.gender) for one in listed.voices] == [
            ("en-US-AndrewNeural", ["en-US"], tts_pb2.GENDER_MALE),
            ("de-DE-KatjaNeural", ["de-DE"], tts_pb2.GENDER_FEMALE),
        ]
        info = await service.stub.GetInfo(tts_pb2.GetInfoRequest())
        assert list(info.languages) == ["en-US", "de-DE"]
        assert not info.alignments
        await synthesize(service.stub, [config(), text(1, "Guten Tag.", language="de"), FINISH])
        assert server.requests[-1].body["voice"] == "de-DE-KatjaNeural"
        error = await refused(service.stub, [config("nobody")])
        assert reason_of(error) == Reason.VOICE_UNKNOWN
        error = await refused(service.stub, [config(language="fr")])
        assert reason_of(error) == Reason.LANGUAGE_UNSUPPORTED


@async_test
async def test_kokoros_voices_are_blended_by_its_server() -> None:
    async with FakeSpeechServer("kokoro-fastapi") as server, serving(engine(server)) as service:
        await say(service, voice="af_heart:0.7+af_bella:0.3")
        assert server.requests[-1].body["voice"] == "af_heart(0.7)+af_bella(0.3)"
        error = await refused(service.stub, [config("af_heart:0.7+nobody:0.3")])
        assert reason_of(error) == Reason.VOICE_UNKNOWN


def test_lists_of_every_server_are_read_and_nothing_in_them_is_trusted() -> None:
    assert read_list({"voices": ["af_heart", "ef_dora"]}) is not None
    speaches = {"voices": [{"name": "af_heart", "language": "en-US", "gender": "female"}], "object": "list"}
    (heart,) = read_list(speaches) or []
    assert (heart.name, heart.languages, heart.gender) == ("af_heart", ("en-US",), "female")
    assert read_list({"error": "none"}) is None
    assert read_list(None) is None
    wild: list[object] = [
        None,
        5,
        {"name": 7},
        {"name": "x" * 500},
        {"name": "a\nb"},
        [],
        {"id": "ok", "language": "<script>"},
    ]
    assert [(one.name, one.languages) for one in read_list({"voices": wild}) or []] == [("ok", ())]
    assert len(read_list([str(number) for number in range(100_000)]) or []) == 5000


def test_languages_nobody_tells_are_guessed_and_said_to_be() -> None:
    voices, guessed = catalogue([], {}, default_language="de", default_voice="")
    assert guessed
    assert voices.default.name == "alloy"
    assert voices.default.tags == ("de",)
    told, guessed = catalogue([], {"anna": ("de", "en")}, default_language="en", default_voice="anna")
    assert not guessed
    assert told.choose("", "de").name == "anna"
    with pytest.raises(LanguageUnsupportedError):
        told.choose("", "fr")
    assert isinstance(told, ServerVoices)
    with pytest.raises(VoiceUnknownError):
        told.named("anna:0.5+bert:0.5")


LOUD = encoded(spoken("one two three four five six seven"), "pcm")
BROKEN: list[tuple[str, Act]] = [
    ("HTTP 500", failing(500)),
    ("HTTP 400", failing(400)),
    ("HTTP 307", answering(b"", 307, location="http://127.0.0.1:1/")),
    ("text/html", answering(b"<html>secret words</html>", content_type="text/html")),
    ("json", answering({"error": "secret words"})),
    ("a text", answering(b'{"error": "secret words, and more of them than anybody reads"}', content_type="audio/pcm")),
    ("more than", endless),
    ("decoded as mp3", answering(b"ID3\x04\x00\x00\x00\x00\x00\x00" + bytes(3000), content_type="audio/mpeg")),
    ("broke the connection off", breaking_off(LOUD)),
]


@pytest.mark.parametrize(("reason", "act"), BROKEN)
def test_an_answer_that_is_none_fails_the_reply_and_not_the_next(reason: str, act: Act) -> None:
    @async_test
    async def scenario() -> None:
        async with FakeSpeechServer() as server, serving(engine(server)) as service:
            server.then(act)
            before = len(server.requests)
            error = await failed(service, SECRET)
            assert (error.code(), reason_of(error)) == (grpc.StatusCode.UNAVAILABLE, Reason.ENGINE_FAILED)
            assert reason in str(error.details())
            assert "secret" not in str(error.details())
            assert len(server.requests) == before + 1, "it was asked once"
            assert (await say(service)).done[0].samples > 0
            await service.slots.wait_idle()

    scenario()


@pytest.mark.parametrize(
    "act", [hanging_up, failing(503), failing(429, retry_after="0"), answering(b""), breaking_off(b"")]
)
def test_what_failed_before_its_first_sound_is_asked_once_more(act: Act) -> None:
    @async_test
    async def scenario() -> None:
        async with FakeSpeechServer() as server, serving(engine(server)) as service:
            before = len(server.requests)
            server.then(act)
            assert (await say(service)).done[0].samples > 0
            server.then(act, act)
            assert reason_of(await failed(service)) == Reason.ENGINE_FAILED
            assert len(server.requests) == before + 4

    scenario()


@pytest.mark.parametrize(
    ("act", "limit", "said"),
    [
        (silent, {"first_byte_timeout_s": 0.1}, "sent no sound within 0.1 s"),
        (stalling(LOUD), {"gap_timeout_s": 0.1}, "paused for more than 0.1 s"),
        (stalling(LOUD), {"timeout_s": 0.3}, "was not done within 0.3 s"),
    ],
)
def test_every_wait_is_bounded(act: Act, limit: dict[str, float], said: str) -> None:
    @async_test
    async def scenario() -> None:
        async with FakeSpeechServer() as server, serving(engine(server, **limit)) as service:
            before = len(server.requests)
            server.then(act)
            assert said in str((await failed(service)).details())
            await (await server.request(before + 1)).gone.wait()

    scenario()


@async_test
async def test_a_slow_reader_is_not_the_servers_fault_and_holds_it_back() -> None:
    words = "one two three four five six seven eight nine ten " * 6
    async with FakeSpeechServer() as server:
        own = settings(server, timeout_s=0.3, gap_timeout_s=0.3).model_copy(update={"lookahead_ms": 100})
        async with serving(OpenAiCompatibleEngine(own)) as service:
            call = service.stub.Synthesize()
            for message in (config(fmt=pcm(48_000)), text(1, words), FINISH):
                await call.write(message)
            await call.done_writing()
            await asyncio.sleep(0.6)  # longer than all of the server's time
            samples = 0
            while isinstance(message_ := await call.read(), tts_pb2.SynthesizeResponse):
                samples += len(message_.audio.payload) // 2
            assert await call.code() is grpc.StatusCode.OK
            assert samples > 5 * 48_000


@async_test
async def test_cancelling_breaks_the_request_off_and_frees_the_slot() -> None:
    for act in (silent, stalling(LOUD), endless):
        async with FakeSpeechServer() as server, serving(engine(server), capacity=1) as service:
            before = len(server.requests)
            server.then(act)
            call = service.stub.Synthesize()
            for message in (config(), text(1, "one two three " * 50), FLUSH):
                await call.write(message)
            request = await server.request(before + 1)
            call.cancel()
            await request.gone.wait()
            await service.slots.wait_idle()
            assert (await say(service)).done[0].samples > 0


@async_test
async def test_the_key_is_sent_and_never_told() -> None:
    async with FakeSpeechServer(key="sk-right") as server:
        async with serving(engine(server, api_key="sk-right")) as service:
            assert (await say(service)).done[0].samples > 0
            server.key = "sk-other"
            assert "HTTP 401" in str((await failed(service)).details())
        with pytest.raises(StartupError, match=r"tts\.openai\.api_key") as raised:
            await engine(server, api_key="sk-right").open()
        assert "sk-" not in str(raised.value)


@async_test
async def test_what_is_wrong_at_the_start_is_said_with_the_setting() -> None:
    async def refusal(server: FakeSpeechServer, **more: Any) -> str:
        with pytest.raises(StartupError) as raised:
            await open_engine(settings(server, **more))
        return str(raised.value)

    async with FakeSpeechServer(models=("kokoro", "piper")) as server:
        assert "tts.openai.model" in (several := await refusal(server))
        assert "name one of kokoro, piper" in several
        assert "tts.voice" in await refusal(server, voice="nobody", model="kokoro")
        assert "tts.language" in await refusal(server, language="de", model="kokoro")
        server.then(failing(422), *[failing(422)] * 4)
        assert "tts.openai.model" in await refusal(server, model="huge")
        server.then(answering(b"<html>secret</html>", content_type="text/html"))
        assert "tts.openai.base_url" in await refusal(server, model="kokoro")
        server.then(in_chunks(bytes(48_000), 4800))
        assert "sends silence" in await refusal(server, model="kokoro")
        server.then(silent)
        assert "still loading" in await refusal(server, model="kokoro", start_timeout_s=0.2)
        assert "tts.openai.base_url" in await refusal(server, model="kokoro", base_url=f"{server.root}/other")
        await server.stop()
        assert "tts.openai.base_url" in await refusal(server, model="kokoro")


@async_test
async def test_limitations_are_said_plainly() -> None:
    async with FakeSpeechServer("bare") as server, serving(engine(server)) as service:
        said = " ".join((await service.stub.GetInfo(tts_pb2.GetInfoRequest())).limitations)
    assert "No alignments" in said
    assert "does not say which languages" in said
    assert "leaves it" not in said


@pytest.mark.parametrize(
    "given", ["http://host:8880", "http://host:8880/", "http://host:8880/v1/", "http://host:8880/v1/audio/speech"]
)
def test_the_address_may_be_given_with_and_without_its_version(given: str) -> None:
    assert OpenAiServerSettings(base_url=given).base_url == "http://host:8880/v1"


@pytest.mark.parametrize("given", ["host:8880", "ftp://host", "http://me:pw@host", "http://host?x=1"])
def test_an_address_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        OpenAiServerSettings(base_url=given)


def test_the_text_cannot_be_set_by_the_extra_body() -> None:
    with pytest.raises(ValueError, match="input"):
        OpenAiServerSettings(extra_body={"input": "x"})


@async_test
async def test_twenty_replies_at_once_are_each_their_own() -> None:
    counts = range(1, 21)
    async with FakeSpeechServer() as server, serving(engine(server, max_requests=20)) as service:
        replies = await asyncio.gather(*(say(service, "seven " * count) for count in counts))
    samples = [heard.done[0].samples for heard in replies]
    assert samples == sorted(samples)
    assert samples[-1] > 8 * samples[0]


@async_test
async def test_the_sound_is_at_its_own_level_and_rate() -> None:
    async with FakeSpeechServer() as server, serving(engine(server)) as service:
        heard = await say(service, fmt=pcm(24_000))
    samples = WireDecoder(pcm(24_000)).decode(heard.payload)
    said = spoken(QUESTION)
    assert float(np.abs(samples).max()) == pytest.approx(float(np.abs(said).max()), rel=0.05)
    audible = np.flatnonzero(np.abs(said) > 0.01)
    assert len(samples) == pytest.approx(audible[-1] - audible[0], abs=0.3 * 24_000)
