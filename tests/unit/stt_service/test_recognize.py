"""The contract of Recognize as a client sees it, whichever engine is behind."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from parley.audio.v1 import audio_pb2
from parley.stt.v1 import stt_pb2
from servicekit.audio import MULAW_8K, pcm
from servicekit.errors import Reason, reason_of
from stt_service.hearing import FORMATS
from stt_service.settings import SttSettings
from tests.asyncs import async_test
from tests.fakes.stt_service_engine import FakeEngine
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
    until,
)

SECOND = b"\xff" * 8000


@async_test
async def test_an_utterance_is_ready_then_a_final_that_answers_finish() -> None:
    async with serving(FakeEngine()) as service:
        heard = await recognize(service.stub, [config(word_times=True), *in_pieces(SECOND), FINISH])
    assert heard.ready is not None
    assert (heard.ready.engine, heard.ready.partials) == ("fake", False)
    (final,) = heard.finals
    assert (final.finalize_id, final.text, final.language, final.confidence) == (0, "8000", "en", 0.5)
    assert final.audio_end.ToMilliseconds() == 1000
    assert [(word.start_sample, word.end_sample) for word in final.words] == [(0, 8000)]


@async_test
async def test_an_utterance_without_audio_is_understood_as_nothing_said_so_far() -> None:
    async with serving(FakeEngine()) as service:
        heard = await recognize(service.stub, [config(), FINISH])
    assert heard.text == "0"


@async_test
async def test_audio_may_follow_a_finalize_and_texts_are_cumulative() -> None:
    async with serving(FakeEngine()) as service:
        call = service.stub.Recognize()
        await call.write(config())
        assert (await response(call)).HasField("ready")
        for number in (1, 2, 7):
            await call.write(audio(SECOND))
            await call.write(finalize(number))
            final = (await response(call)).final
            assert final.finalize_id == number
        assert final.text == "24000"
        await call.write(FINISH)
        await call.done_writing()
        assert (await response(call)).final.text == "24000"
        assert await call.code() is grpc.StatusCode.OK


@async_test
async def test_a_final_covers_the_audio_before_its_finalize_and_none_after() -> None:
    engine = FakeEngine(slow=True)
    async with serving(engine) as service:
        call = service.stub.Recognize()
        for message in (config(), audio(SECOND), finalize(1), audio(SECOND)):
            await call.write(message)
        assert (await response(call)).HasField("ready")
        await until(lambda: engine.utterances[0].samples == 16_000)
        engine.utterances[0].answer()
        assert (await response(call)).final.text == "8000"
        call.cancel()
        await service.slots.wait_idle()


@async_test
async def test_a_finalize_that_is_overtaken_is_given_up() -> None:
    engine = FakeEngine(slow=True)
    async with serving(engine) as service:
        call = service.stub.Recognize()
        for message in (config(), audio(SECOND), finalize(1), finalize(2)):
            await call.write(message)
        assert (await response(call)).HasField("ready")
        await until(lambda: len(engine.utterances[0].questions) == 2)
        assert engine.utterances[0].questions[0][1].cancelled()
        engine.utterances[0].answer()
        assert (await response(call)).final.finalize_id == 2
        call.cancel()
        await service.slots.wait_idle()


@async_test
async def test_partials_come_when_asked_for() -> None:
    async with serving(FakeEngine()) as service:
        call = service.stub.Recognize()
        await call.write(config(partials=True))
        assert (await response(call)).ready.partials
        await call.write(audio(SECOND))
        partial = (await response(call)).partial
        assert (partial.stable_text, partial.unstable_text) == ("heard", " 8000")
        assert partial.audio_end.ToMilliseconds() == 1000
        call.cancel()
        await service.slots.wait_idle()


@pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: f"{fmt.encoding}-{fmt.sample_rate_hz}")
def test_every_format_of_get_info_is_taken_in_chunks_of_any_size(fmt: audio_pb2.AudioFormat) -> None:
    @async_test
    async def scenario() -> None:
        width = 2 if fmt.encoding == audio_pb2.ENCODING_PCM_S16LE else 1
        payload = bytes(width * fmt.sample_rate_hz)
        async with serving(FakeEngine()) as service:
            odd = await recognize(service.stub, [config(fmt), *in_pieces(payload, 333), FINISH])
            whole = await recognize(service.stub, [config(fmt), audio(b""), audio(payload), FINISH])
        assert odd.text == whole.text
        assert abs(int(whole.text) - 8000) < 50  # a resampler keeps its last millisecond or two
        assert whole.finals[0].audio_end.ToMilliseconds() > 990

    scenario()


OUT_OF_ORDER = {
    "audio first": [audio(SECOND)],
    "finish first": [FINISH],
    "two configs": [config(), config()],
    "a finalize that does not rise": [config(), finalize(2), finalize(2)],
    "a finalize of zero": [config(), finalize(0)],
    "an empty message": [config(), stt_pb2.RecognizeRequest()],
}


@pytest.mark.parametrize("messages", OUT_OF_ORDER.values(), ids=OUT_OF_ORDER.keys())
def test_a_message_out_of_order_is_refused_by_that_reason(messages: list[stt_pb2.RecognizeRequest]) -> None:
    @async_test
    async def scenario() -> None:
        async with serving(FakeEngine(slow=True)) as service:
            error = await refused(service.stub, messages)
            assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert reason_of(error) == Reason.MESSAGE_ORDER
            await service.slots.wait_idle()

    scenario()


@async_test
async def test_what_follows_finish_is_refused_while_the_answer_is_made() -> None:
    async with serving(FakeEngine(slow=True)) as service:
        error = await refused(service.stub, [config(), FINISH, audio(SECOND)])
        assert reason_of(error) == Reason.MESSAGE_ORDER
        await service.slots.wait_idle()


UNSUPPORTED = [
    audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_OPUS, sample_rate_hz=48_000, channels=1),
    audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_MULAW, sample_rate_hz=16_000, channels=1),
    audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_PCM_S16LE, sample_rate_hz=16_000, channels=2),
    audio_pb2.AudioFormat(),
]


@pytest.mark.parametrize("fmt", UNSUPPORTED, ids=["opus", "mulaw-16k", "stereo", "unset"])
def test_a_format_that_is_not_offered_is_refused(fmt: audio_pb2.AudioFormat) -> None:
    @async_test
    async def scenario() -> None:
        async with serving(FakeEngine()) as service:
            error = await refused(service.stub, [config(fmt)])
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert reason_of(error) == Reason.FORMAT_UNSUPPORTED

    scenario()


@async_test
async def test_a_language_that_the_model_lacks_is_refused_and_its_slot_given_back() -> None:
    async with serving(FakeEngine(), capacity=1) as service:
        for _ in range(2):
            error = await refused(service.stub, [config(languages=["fr"])])
            assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert reason_of(error) == Reason.LANGUAGE_UNSUPPORTED
        assert (await recognize(service.stub, [config(), FINISH])).text == "0"


@async_test
async def test_audio_beyond_the_longest_utterance_is_refused() -> None:
    engine = FakeEngine()
    async with serving(engine, SttSettings(max_utterance_s=2.5)) as service:
        error = await refused(service.stub, [config(), *[audio(SECOND)] * 3])
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert reason_of(error) == Reason.AUDIO_TOO_LONG
        assert "stt.max_utterance_s" in (error.details() or "")
        assert engine.utterances[0].samples == 16_000
        info = await service.stub.GetInfo(stt_pb2.GetInfoRequest())
        assert info.max_utterance.ToMilliseconds() == 2500


@async_test
async def test_a_message_of_a_megabyte_is_taken_and_a_larger_one_refused() -> None:
    async with serving(FakeEngine()) as service:
        heard = await recognize(service.stub, [config(), audio(bytes(1_000_000)), FINISH])
        assert heard.text == "1000000"
        error = await refused(service.stub, [config(), audio(bytes(5 << 20))])
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert reason_of(error) == Reason.MESSAGE_TOO_LARGE
        assert (await recognize(service.stub, [config(), FINISH])).text == "0"


@async_test
async def test_one_utterance_more_than_the_capacity_is_refused_until_one_ends() -> None:
    async with serving(FakeEngine(), capacity=1) as service:
        call = service.stub.Recognize()
        await call.write(config())
        assert (await response(call)).HasField("ready")
        error = await refused(service.stub, [config()])
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert reason_of(error) == Reason.CAPACITY
        info = await service.stub.GetInfo(stt_pb2.GetInfoRequest())
        assert (info.capacity, info.in_use) == (1, 1)
        await call.write(FINISH)
        await call.done_writing()
        assert (await response(call)).final.finalize_id == 0
        await service.slots.wait_idle()
        assert (await recognize(service.stub, [config(), FINISH])).text == "0"


@async_test
async def test_a_cancelled_utterance_is_busy_until_the_engine_lets_go() -> None:
    engine = FakeEngine(slow=True, lingers=True)
    async with serving(engine, capacity=1) as service:
        call = service.stub.Recognize()
        for message in (config(), audio(SECOND), finalize(1)):
            await call.write(message)
        assert (await response(call)).HasField("ready")
        await until(lambda: bool(engine.utterances[0].questions))
        call.cancel()
        await engine.utterances[0].cancelled.wait()
        assert reason_of(await refused(service.stub, [config()])) == Reason.CAPACITY
        engine.utterances[0].let_go()
        await service.slots.wait_idle()
        engine.slow = False
        engine.lingers = False
        assert (await recognize(service.stub, [config(), FINISH])).text == "0"


@async_test
async def test_a_stream_that_ends_without_finish_is_a_cancellation() -> None:
    engine = FakeEngine(slow=True)
    async with serving(engine) as service:
        error = await refused(service.stub, [config(), audio(SECOND)], half_close=True)
        assert error.code() is grpc.StatusCode.CANCELLED
        await service.slots.wait_idle()
        assert engine.utterances[0].cancelled.is_set()
        assert not engine.utterances[0].questions  # nobody waited for a text
        assert (await refused(service.stub, [], half_close=True)).code() is grpc.StatusCode.CANCELLED


@async_test
async def test_an_engine_that_fails_is_unavailable_and_the_next_utterance_is_served() -> None:
    engine = FakeEngine(fails=True)
    async with serving(engine) as service:
        error = await refused(service.stub, [config(), audio(SECOND), FINISH])
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert reason_of(error) == Reason.ENGINE_FAILED
        engine.fails = False
        assert (await recognize(service.stub, [config(), FINISH])).text == "0"


@async_test
async def test_while_draining_nothing_new_is_taken_and_the_living_finish() -> None:
    async with serving(FakeEngine()) as service:
        call = service.stub.Recognize()
        await call.write(config())
        assert (await response(call)).HasField("ready")
        waiting = service.stub.Recognize()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(service.server.drain(slots=service.slots))
            await until(lambda: service.server.draining)
            await waiting.write(config())
            assert await waiting.code() is grpc.StatusCode.UNAVAILABLE
            await call.write(audio(SECOND))
            await call.write(FINISH)
            await call.done_writing()
            assert (await response(call)).final.text == "8000"


@async_test
async def test_a_silent_client_loses_its_slot() -> None:
    async with serving(FakeEngine(), SttSettings(idle_timeout_s=0.05)) as service:
        call = service.stub.Recognize()
        await call.write(config())
        assert (await response(call)).HasField("ready")
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await call.read()
        assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await service.slots.wait_idle()


@async_test
async def test_a_slow_engine_is_no_silent_client() -> None:
    engine = FakeEngine(slow=True)
    async with serving(engine, SttSettings(idle_timeout_s=0.05)) as service:
        call = service.stub.Recognize(iter([config(), FINISH]))
        assert (await response(call)).HasField("ready")
        await until(lambda: bool(engine.utterances[0].questions))
        utterance = engine.utterances[0]
        assert not utterance.cancelled.is_set()
        utterance.answer()
        assert (await response(call)).final.text == "0"


@async_test
async def test_get_info_says_what_the_engine_is() -> None:
    async with serving(FakeEngine()) as service:
        info = await service.stub.GetInfo(stt_pb2.GetInfoRequest())
    assert (info.contract, info.engine, info.engine_version, info.model) == ("parley.stt.v1", "fake", "1", "counter")
    assert list(info.languages) == ["en"]
    assert MULAW_8K in info.formats
    assert pcm(48_000) in info.formats
    assert (info.partials, info.word_times, info.language_detection, info.end_of_turn) == (True, True, False, False)
    assert list(info.limitations) == ["It only counts."]


@async_test
async def test_hints_beyond_the_contracts_limits_are_cut() -> None:
    engine = FakeEngine()
    async with serving(engine) as service:
        await recognize(service.stub, [config(prompt="a" * 3000, hotwords=["b"] * 300), FINISH])
    request = engine.utterances[0].request
    assert (len(request.prompt), len(request.hotwords)) == (2000, 200)
