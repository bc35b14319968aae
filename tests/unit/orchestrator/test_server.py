"""What the Conversation service admits, refuses and says of itself."""

from __future__ import annotations

import grpc

from orchestrator.settings import OrchestratorSettings
from parley.audio.v1 import audio_pb2
from parley.conversation.v1 import conversation_pb2 as conv
from servicekit.errors import Reason, reason_of
from tests.asyncs import async_test
from tests.fakes.orchestrator_brain import FakeBrain
from tests.fakes.orchestrator_gateway import Conversations, conversations, start_of
from tests.fakes.orchestrator_stt import FakeStt

OPUS = audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_OPUS, sample_rate_hz=48_000, channels=2)


async def refusal(service: Conversations, *events: conv.CallEvent) -> tuple[grpc.StatusCode, str]:
    """Status and reason with which a stream of these messages ends."""
    try:
        stream = service.stub.Converse(iter(events))
        async for _ in stream:
            pass
    except grpc.aio.AioRpcError as error:
        return error.code(), reason_of(error)
    return grpc.StatusCode.OK, ""


def starting(**changes: object) -> conv.CallEvent:
    """A `start` with some fields changed."""
    start = start_of()
    for name, value in changes.items():
        start.ClearField(name)  # type: ignore[arg-type]
        start.MergeFrom(conv.Start(**{name: value}))  # type: ignore[arg-type]
    return conv.CallEvent(start=start)


@async_test
async def test_an_impossible_start_is_refused_with_its_reason() -> None:
    async with conversations(FakeBrain(), FakeStt([""])) as service:
        invalid = grpc.StatusCode.INVALID_ARGUMENT
        audio = conv.CallEvent(audio=conv.CallerAudio(seq=1))
        damaged = conv.Resume(checkpoint=conv.Checkpoint(seq=1, state=b"{]"))
        assert await refusal(service, audio) == (invalid, Reason.MESSAGE_ORDER)
        assert await refusal(service) == (invalid, Reason.MESSAGE_ORDER)
        assert await refusal(service, starting(call_id="")) == (invalid, Reason.CALL_ID_MISSING)
        assert await refusal(service, starting(call_id="a b")) == (invalid, Reason.CALL_ID_MISSING)
        assert await refusal(service, starting(caller_formats=[OPUS])) == (invalid, Reason.FORMAT_UNSUPPORTED)
        assert await refusal(service, starting(agent_formats=[])) == (invalid, Reason.FORMAT_UNSUPPORTED)
        assert await refusal(service, starting(resume=damaged)) == (invalid, Reason.CHECKPOINT_UNREADABLE)
        assert await refusal(service, starting(), starting()) == (invalid, Reason.MESSAGE_ORDER)
        assert service.slots.in_use == 0


@async_test
async def test_a_call_that_is_live_is_not_begun_again() -> None:
    async with conversations(FakeBrain(), FakeStt([""])) as service, service.call() as call:
        await call.until(lambda e: e.HasField("ready"))
        assert await refusal(service, starting()) == (grpc.StatusCode.ALREADY_EXISTS, Reason.CALL_LIVE)
        await call.hang_up()


@async_test
async def test_one_call_too_many_is_refused() -> None:
    settings = OrchestratorSettings(max_calls=1)
    async with conversations(FakeBrain(), FakeStt([""]), settings=settings) as service, service.call() as call:
        await call.until(lambda e: e.HasField("ready"))
        second = starting(call_id="c2")
        assert await refusal(service, second) == (grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.CAPACITY)
        assert not (await service.stub.Prepare(conv.PrepareRequest(call_id="c2"))).accepted
        await call.hang_up()
        await service.slots.wait_idle()
        assert (await service.stub.Prepare(conv.PrepareRequest(call_id="c2"))).accepted


@async_test
async def test_preparing_warms_the_brain_and_renders_the_greeting_once() -> None:
    brain = FakeBrain()
    async with conversations(brain, FakeStt([""])) as service:
        for _ in range(2):
            assert (await service.stub.Prepare(conv.PrepareRequest(call_id="c1"))).accepted
        rendered = len(service.tts.rpcs)
        async with service.call() as call:
            await call.until(lambda e: e.mark.last)
            await call.hang_up()
        assert brain.warmed == 2
        assert len(service.tts.rpcs) == rendered


@async_test
async def test_a_draining_server_tells_its_calls_and_takes_no_more() -> None:
    async with conversations(FakeBrain(), FakeStt([""])) as service, service.call() as call:
        await call.until(lambda e: e.HasField("ready"))
        await service.servicer.go_away()
        going = await call.until(lambda e: e.HasField("go_away"))
        kinds = call.kinds()
        assert going.go_away.within.ToSeconds() > 0
        assert kinds.index("checkpoint") < kinds.index("go_away"), "a successor needs the newest memory"
        await call.hang_up(conv.END_REASON_HANDED_OVER)


@async_test
async def test_it_says_what_it_is() -> None:
    async with conversations(FakeBrain(), FakeStt([""])) as service, service.call() as call:
        await call.until(lambda e: e.HasField("ready"))
        info = await service.stub.GetInfo(conv.GetInfoRequest())
        assert (info.contract, info.capacity, info.live_calls) == ("parley.conversation.v1", 4, 1)
        assert info.brain == "fake"
        assert audio_pb2.ENCODING_OPUS not in {fmt.encoding for fmt in info.formats}
        await call.hang_up()


@async_test
async def test_a_peer_that_breaks_the_order_in_mid_call_loses_that_call_only() -> None:
    async with conversations(FakeBrain(), FakeStt(["what time is it"])) as service, service.call() as call:
        await call.until(lambda e: e.HasField("ready"))
        audio = conv.CallEvent(audio=conv.CallerAudio(seq=1, payload=b"\xff" * 160))
        other = starting(call_id="c2")
        assert await refusal(service, other, audio, audio) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            Reason.MESSAGE_ORDER,
        )
        await call.answer_greeting()
        await call.ask()
        await call.turn(1, conv.TURN_STATE_ENDED)
        await call.hang_up()


@async_test
async def test_a_second_and_more_of_sound_in_one_message_is_refused() -> None:
    async with conversations(FakeBrain(), FakeStt([""])) as service:
        flood = conv.CallEvent(audio=conv.CallerAudio(seq=1, payload=b"\xff" * 8001))
        assert await refusal(service, starting(), flood) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            Reason.MESSAGE_ORDER,
        )


@async_test
async def test_without_a_greeting_the_caller_speaks_first() -> None:
    settings = OrchestratorSettings.model_validate({"prompts": {"greeting": ""}})
    stt = FakeStt(["what time is it"])
    async with conversations(FakeBrain(), stt, settings=settings) as service, service.call() as call:
        await call.be_silent(500)
        await call.ask()
        await call.turn(1, conv.TURN_STATE_ENDED)
        await call.hang_up()
        assert call.spoken() == "It is noon."
