"""A transcription server as an engine: the real client against servers that behave as the known ones do, and worse."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from parley.stt.v1 import stt_pb2
from servicekit.errors import Reason, reason_of
from servicekit.startup import StartupError
from stt_service.engines.openai_compatible.engine import OpenAiCompatibleEngine
from stt_service.settings import OpenAiServerSettings, SttSettings
from tests.asyncs import async_test
from tests.fakes.openai_server import answering, failing, hanging_up, silent
from tests.fakes.transcription_servers import Act, FakeTranscriptionServer, endless, segment
from tests.unit.stt_service.loopback import (
    FINISH,
    config,
    finalize,
    in_pieces,
    recognize,
    refused,
    response,
    serving,
    spoken,
)

QUIET = b"\xff" * 8000
"""A second of μ-law silence."""


def engine(server: FakeTranscriptionServer, **more: Any) -> OpenAiCompatibleEngine:
    openai = OpenAiServerSettings.model_validate({"base_url": server.root, **more})
    return OpenAiCompatibleEngine(SttSettings(engine="openai", openai=openai))


@async_test
async def test_an_utterance_is_asked_about_once_with_all_that_is_known_of_it() -> None:
    line = spoken("what time is it")
    async with FakeTranscriptionServer("speaches") as server, serving(engine(server)) as service:
        before = len(server.requests)
        known = config(languages=["en-GB"], prompt="Anything else?", hotwords=["Parley", "Ada"], word_times=True)
        heard = await recognize(service.stub, [known, *in_pieces(line), FINISH])
        (request,) = server.requests[before:]
    assert heard.ready is not None
    assert (heard.ready.engine, heard.ready.partials, heard.partials) == ("openai", False, [])
    (final,) = heard.finals
    assert final.text == f"heard {len(line) / 8000:.2f} s"
    assert final.language == "en-GB"
    assert 0.7 < final.confidence < 0.9
    assert [word.word for word in final.words] == final.text.split()
    assert final.words[1].start_sample == 800
    assert final.audio_end.ToMilliseconds() == len(line) // 8
    assert request.form == {
        "model": "whisper-base",
        "language": "en",
        "prompt": "Parley, Ada. Anything else?",
        "response_format": "verbose_json",
        "timestamp_granularities[]": "word",
        "temperature": "0",
    }


@async_test
async def test_it_says_what_each_kind_of_server_can_do() -> None:
    said: dict[str, stt_pb2.GetInfoResponse] = {}
    for style in ("speaches", "whisper.cpp", "vllm"):
        async with FakeTranscriptionServer(style) as server, serving(engine(server)) as service:
            said[style] = await service.stub.GetInfo(stt_pb2.GetInfoRequest())
            heard = await recognize(service.stub, [config(), *in_pieces(spoken("stop")), FINISH])
            assert heard.text.startswith("heard")
            assert "\n" not in heard.text
    assert not any(info.partials for info in said.values())
    assert {style: info.word_times for style, info in said.items()} == {
        "speaches": True,
        "whisper.cpp": True,
        "vllm": False,
    }
    assert said["whisper.cpp"].language_detection
    assert not said["vllm"].language_detection
    assert any("text alone" in sentence for sentence in said["vllm"].limitations)
    assert said["speaches"].model.startswith("whisper-base at 127.0.0.1:")
    assert said["speaches"].capacity == 16


@async_test
async def test_the_language_is_the_servers_where_several_are_possible() -> None:
    async with FakeTranscriptionServer("whisper.cpp") as server, serving(engine(server)) as service:
        among = config(languages=["de", "en-US"], detect_language=True)
        heard = await recognize(service.stub, [among, *in_pieces(spoken("stop")), FINISH])
        assert "language" not in server.requests[-1].form
    assert heard.finals[0].language == "en-US"


@async_test
async def test_what_was_answered_is_not_asked_again_when_nothing_was_said_since() -> None:
    async with FakeTranscriptionServer() as server, serving(engine(server)) as service:
        before = len(server.requests)
        call = service.stub.Recognize()
        for message in (config(), *in_pieces(spoken("what is seven")), finalize(1)):
            await call.write(message)
        assert (await response(call)).HasField("ready")
        first = (await response(call)).final
        for message in (*in_pieces(QUIET), finalize(2)):
            await call.write(message)
        second = (await response(call)).final
        assert len(server.requests) - before == 1
        for message in in_pieces(spoken("plus five")):
            await call.write(message)
        await call.write(FINISH)
        await call.done_writing()
        last = (await response(call)).final
        assert len(server.requests) - before == 2
    assert second.text == first.text
    assert second.audio_end.ToMilliseconds() == first.audio_end.ToMilliseconds() + 1000
    assert last.text != first.text


@async_test
async def test_a_finish_joins_the_question_that_is_under_way() -> None:
    async with FakeTranscriptionServer() as server, serving(engine(server)) as service:
        before = len(server.requests)
        heard = await recognize(service.stub, [config(), *in_pieces(spoken("stop")), finalize(1), FINISH])
        assert len(server.requests) - before == 1
    assert heard.finals[-1].finalize_id == 0
    assert heard.text.startswith("heard")


@async_test
async def test_silence_is_never_sent() -> None:
    async with FakeTranscriptionServer() as server, serving(engine(server)) as service:
        before = len(server.requests)
        for pieces in ([], in_pieces(QUIET)):
            heard = await recognize(service.stub, [config(), *pieces, FINISH])
            assert heard.text == ""
        assert len(server.requests) - before == 0


INVENTED: list[tuple[str, Act]] = [
    ("", answering({"text": ""})),
    ("", answering({"text": " Thanks for watching!\n"})),
    ("", answering({"text": "ご視聴ありがとうございました"})),
    ("", answering({"text": "Bye.", "segments": [segment("Bye.", no_speech=0.9, log_prob=-0.8)]})),
    ("", answering({"text": "la", "segments": [segment("la la la", repetition=9.0)]})),
    ("", answering({"text": "hm", "segments": [segment("hm", log_prob=-1.5)]})),
    ("Hello.", answering({"text": "x", "segments": [segment(" Hello."), segment(" You", log_prob=-2.0)]})),
    # What a caller may well say, with scores that say so, stays.
    (
        "Thanks for watching!",
        answering({"text": "Thanks for watching!", "segments": [segment("Thanks for watching!")]}),
    ),
]


@pytest.mark.parametrize(("text", "act"), INVENTED)
def test_words_that_nobody_said_are_dropped(text: str, act: Act) -> None:
    @async_test
    async def scenario() -> None:
        async with FakeTranscriptionServer() as server, serving(engine(server)) as service:
            server.then(act)
            heard = await recognize(service.stub, [config(), *in_pieces(spoken("stop")), FINISH])
            assert heard.text == text

    scenario()


BROKEN: list[tuple[str, Act]] = [
    ("HTTP 500", failing(500)),
    ("HTTP 429", failing(429)),
    ("HTTP 307", answering(b"", 307, location="http://127.0.0.1:1/")),
    ("not JSON", answering(b"<html>secret words</html>", content_type="text/html")),
    ("not JSON", answering(b'{"text": "sec')),
    ("not a JSON object", answering([1])),
    ("no text", answering({"text": 5})),
    ("it is an error", answering({"error": "secret words"})),
    ("more than 4 MiB", endless),
    ("not JSON", answering(b"[" * 100_000)),
]


@pytest.mark.parametrize(("reason", "act"), BROKEN)
def test_an_answer_that_is_none_fails_the_utterance_and_not_the_next(reason: str, act: Act) -> None:
    @async_test
    async def scenario() -> None:
        async with FakeTranscriptionServer() as server, serving(engine(server)) as service:
            server.then(act)
            error = await refused(service.stub, [config(prompt="secret words"), *in_pieces(spoken("stop")), FINISH])
            assert (error.code(), reason_of(error)) == (grpc.StatusCode.UNAVAILABLE, Reason.ENGINE_FAILED)
            assert reason in str(error.details())
            assert "secret" not in str(error.details())
            assert len(server.requests) == 2  # the trial, and no second attempt
            heard = await recognize(service.stub, [config(), *in_pieces(spoken("stop")), FINISH])
            assert heard.text.startswith("heard")

    scenario()


@pytest.mark.parametrize("act", [hanging_up, failing(503), failing(503, retry_after="0")])
def test_a_broken_connection_and_503_are_tried_once_more(act: Act) -> None:
    @async_test
    async def scenario() -> None:
        async with FakeTranscriptionServer() as server, serving(engine(server)) as service:
            server.then(act)
            heard = await recognize(service.stub, [config(), *in_pieces(spoken("stop")), FINISH])
            assert heard.text.startswith("heard")
            server.then(act, act)
            error = await refused(service.stub, [config(), *in_pieces(spoken("stop")), FINISH])
            assert reason_of(error) == Reason.ENGINE_FAILED
            assert len(server.requests) == 5

    scenario()


@async_test
async def test_a_server_that_says_nothing_is_given_up_in_time() -> None:
    async with FakeTranscriptionServer() as server, serving(engine(server, timeout_s=0.1)) as service:
        server.then(silent)
        error = await refused(service.stub, [config(), *in_pieces(spoken("stop")), FINISH])
        assert "within 0.1 s" in str(error.details())
        await (await server.request(2)).gone.wait()


@async_test
async def test_cancelling_breaks_the_request_off_and_frees_the_slot() -> None:
    async with FakeTranscriptionServer() as server, serving(engine(server)) as service:
        server.then(silent)
        call = service.stub.Recognize()
        for message in (config(), *in_pieces(spoken("stop")), FINISH):
            await call.write(message)
        request = await server.request(2)
        call.cancel()
        await request.gone.wait()
        await service.slots.wait_idle()


@async_test
async def test_no_more_requests_run_at_once_than_the_settings_say() -> None:
    async with FakeTranscriptionServer() as server, serving(engine(server, max_requests=1)) as service:
        server.then(silent)
        first = service.stub.Recognize()
        for message in (config(), *in_pieces(spoken("stop")), FINISH):
            await first.write(message)
        held = await server.request(2)
        waiting = asyncio.create_task(recognize(service.stub, [config(), *in_pieces(spoken("stop")), FINISH]))
        assert (await response(first)).HasField("ready")
        assert len(server.requests) == 2
        first.cancel()
        await held.gone.wait()
        assert (await waiting).text.startswith("heard")


@async_test
async def test_the_key_is_sent_and_never_told() -> None:
    async with FakeTranscriptionServer(key="sk-right") as server:
        async with serving(engine(server, api_key="sk-right")) as service:
            assert (await recognize(service.stub, [config(), *in_pieces(spoken("stop")), FINISH])).text
            server.key = "sk-other"
            error = await refused(service.stub, [config(), *in_pieces(spoken("stop")), FINISH])
            assert "HTTP 401" in str(error.details())
        with pytest.raises(StartupError, match=r"stt\.openai\.api_key") as raised:
            await engine(server, api_key="sk-right").open()
        assert "sk-" not in str(raised.value)


@async_test
async def test_what_is_wrong_at_the_start_is_said_with_the_setting() -> None:
    async def refusal(server: FakeTranscriptionServer, **more: Any) -> str:
        with pytest.raises(StartupError) as raised:
            await engine(server, **more).open()
        return str(raised.value)

    async with FakeTranscriptionServer("speaches", models=("small", "large")) as server:
        assert "name one of small, large" in await refusal(server)
        unknown = await refusal(server, model="huge")
        assert "stt.openai.model" in unknown
        assert "'huge'" in unknown
        assert "small, large" in unknown
        server.then(answering(b"<html>"))
        assert "stt.openai.base_url" in await refusal(server, model="small")
        server.then(silent)
        assert "still loading" in await refusal(server, model="small", recording_timeout_s=0.1)
        elsewhere = f"{server.root}/other"
        with pytest.raises(StartupError, match="inference-path"):
            await engine(server, base_url=elsewhere).open()
        await server.stop()
        assert "stt.openai.base_url" in await refusal(server, model="small")


@pytest.mark.parametrize(
    "given",
    ["http://host:8000", "http://host:8000/", "http://host:8000/v1/", "http://host:8000/v1/audio/transcriptions"],
)
def test_the_address_may_be_given_with_and_without_its_version(given: str) -> None:
    assert OpenAiServerSettings(base_url=given).base_url == "http://host:8000/v1"


@pytest.mark.parametrize("given", ["host:8000", "ftp://host", "http://me:pw@host", "http://host?x=1", "http://host:x"])
def test_an_address_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        OpenAiServerSettings(base_url=given)
