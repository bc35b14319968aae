"""A server's life over loopback: port, health, admission, and an end that finishes what was begun."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from parley.stt.v1 import stt_pb2, stt_pb2_grpc
from servicekit.channels import open_channel
from servicekit.errors import Reason, reason_of
from servicekit.server import DrainSettings, GrpcServer, Slots
from servicekit.startup import StartupError
from servicekit.telemetry import Telemetry
from tests.asyncs import async_test
from tests.fakes.servicekit_speech import (
    SERVICE,
    FakeSpeechToText,
    Served,
    audio,
    final,
    finish,
    next_of,
    ready,
    serving,
)

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
HANG_GUARD_S = 20


async def until_finish(_: Any, requests: AsyncIterator[stt_pb2.RecognizeRequest], context: Any) -> None:
    await context.write(ready())
    async for request in requests:
        if request.HasField("finish"):
            await context.write(final("whole"))


class Admitting:
    """Recognises in a slot of the server it is told of."""

    def __init__(self) -> None:
        self.server: GrpcServer
        self.slots: Slots

    async def __call__(self, _: Any, requests: AsyncIterator[stt_pb2.RecognizeRequest], context: Any) -> None:
        with await self.server.admit(self.slots, context):
            await until_finish(None, requests, context)

    def at(self, served: Served) -> Served:
        self.server, self.slots = served.server, served.slots
        return served


async def health_of(served: Served, service: str = "") -> int:
    answer = await health_pb2_grpc.HealthStub(served.plain).Check(health_pb2.HealthCheckRequest(service=service))
    return int(answer.status)


async def refusal(served: Served) -> grpc.aio.AioRpcError:
    """How the server answers a client that does not look at health."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stt_pb2_grpc.SpeechToTextStub(served.plain).Recognize().read()
    return caught.value


@pytest.mark.parametrize("service", ["", SERVICE])
@async_test
async def test_health_reads_not_serving_until_told(service: str) -> None:
    async with serving(FakeSpeechToText(until_finish), serve=False) as served:
        assert await health_of(served, service) == NOT_SERVING
        served.server.set_serving()
        assert await health_of(served, service) == SERVING


@async_test
async def test_health_of_a_stranger_is_not_found() -> None:
    async with serving(FakeSpeechToText(until_finish)) as served:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await health_of(served, "parley.tts.v1.TextToSpeech")
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


@async_test
async def test_a_watch_tells_each_change_and_ends_with_the_server() -> None:
    async with serving(FakeSpeechToText(until_finish), serve=False) as served:
        stub = health_pb2_grpc.HealthStub(served.plain)
        watch = stub.Watch(health_pb2.HealthCheckRequest(service=SERVICE))
        stranger = stub.Watch(health_pb2.HealthCheckRequest(service="nobody"))
        assert (await watch.read()).status == NOT_SERVING
        assert (await stranger.read()).status == SERVICE_UNKNOWN
        served.server.set_serving()
        assert (await watch.read()).status == SERVING
        await served.server.drain(slots=served.slots)
        assert (await watch.read()).status == NOT_SERVING
        assert await watch.code() is grpc.StatusCode.OK


@async_test
async def test_reflection_lists_the_services() -> None:
    async with serving(FakeSpeechToText(until_finish)) as served:
        stub = reflection_pb2_grpc.ServerReflectionStub(served.channel)
        call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
        answer = await call.read()
        names = {service.name for service in answer.list_services_response.service}
        assert names >= {SERVICE, "grpc.health.v1.Health"}
        call.cancel()


@async_test
async def test_a_port_that_is_taken_names_the_setting() -> None:
    async with serving(FakeSpeechToText(until_finish)) as served:
        for setting, expected in (("", "stt.listen"), ("gateway.grpc_listen", "gateway.grpc_listen")):
            second = GrpcServer(
                listen=served.address,
                telemetry=Telemetry("parley-stt"),
                drain=DrainSettings(),
                services=[],
                listen_setting=setting,
            )
            with pytest.raises(StartupError, match=expected):
                await second.start()
            await second.grpc.stop(0)


@async_test
async def test_one_more_than_the_capacity_is_refused_at_once() -> None:
    admitting = Admitting()
    async with serving(FakeSpeechToText(admitting), capacity=1) as served:
        admitting.at(served)
        first = served.stub.Recognize()
        assert (await next_of(first)).HasField("ready")
        error = await refusal(served)
        assert (error.code(), reason_of(error)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.CAPACITY)
        await first.write(finish())
        assert (await next_of(first)).final.text == "whole"
        await first.done_writing()
        assert await first.read() is grpc.aio.EOF
        assert served.slots.in_use == 0


@async_test
async def test_a_cancelled_rpc_gives_its_slot_back() -> None:
    admitting = Admitting()
    speech = FakeSpeechToText(admitting)
    async with serving(speech, capacity=1) as served:
        admitting.at(served)
        call = served.stub.Recognize()
        await call.read()
        assert served.slots.in_use == 1
        call.cancel()
        async with asyncio.timeout(HANG_GUARD_S):
            await served.slots.wait_idle()


@async_test
async def test_draining_goes_in_order_and_lets_live_work_finish() -> None:
    admitting = Admitting()
    steps: list[str] = []
    told = asyncio.Event()
    drain = DrainSettings(timeout_s=HANG_GUARD_S)
    async with serving(FakeSpeechToText(admitting), capacity=2, drain=drain) as served:
        admitting.at(served)
        live = served.stub.Recognize()
        await live.read()

        async def go_away() -> None:
            steps.append(f"health {await health_of(served)}")
            steps.append(f"draining {served.server.draining}")
            error = await refusal(served)
            steps.append(f"{error.code().name} {reason_of(error)}")
            told.set()

        drained = asyncio.create_task(served.server.drain(slots=served.slots, go_away=go_away))
        async with asyncio.timeout(HANG_GUARD_S):
            await told.wait()
        assert steps == [f"health {NOT_SERVING}", "draining True", "UNAVAILABLE DRAINING"]
        assert not drained.done()
        await live.write(audio())
        await live.write(finish())
        assert (await next_of(live)).final.text == "whole"
        await live.done_writing()
        assert await live.code() is grpc.StatusCode.OK
        async with asyncio.timeout(HANG_GUARD_S):
            await drained


@async_test
async def test_work_that_does_not_end_is_cancelled_when_time_is_up() -> None:
    admitting = Admitting()
    speech = FakeSpeechToText(admitting)
    async with serving(speech, drain=DrainSettings(timeout_s=0.05)) as served:
        admitting.at(served)
        live = served.stub.Recognize()
        await live.read()
        async with asyncio.timeout(HANG_GUARD_S):
            await served.server.drain(slots=served.slots)
        assert served.slots.in_use == 0
        assert speech.left.is_set()
        with pytest.raises(grpc.aio.AioRpcError):
            await live.read()


@async_test
async def test_peers_that_cannot_be_told_do_not_stop_the_drain() -> None:
    async def go_away() -> None:
        raise ConnectionError("nobody there")

    async with serving(FakeSpeechToText(until_finish)) as served, asyncio.timeout(HANG_GUARD_S):
        await served.server.drain(slots=served.slots, go_away=go_away)
        assert served.server.draining


@async_test
async def test_a_go_away_that_hangs_is_bounded_too() -> None:
    async with (
        serving(FakeSpeechToText(until_finish), drain=DrainSettings(timeout_s=0.05)) as served,
        asyncio.timeout(HANG_GUARD_S),
    ):
        await served.server.drain(slots=served.slots, go_away=asyncio.Event().wait)  # type: ignore[arg-type]


@async_test
async def test_draining_twice_is_draining_once_and_serving_never_returns() -> None:
    calls: list[int] = []

    async def go_away() -> None:
        calls.append(1)

    async with serving(FakeSpeechToText(until_finish)) as served:
        await asyncio.gather(
            served.server.drain(slots=served.slots, go_away=go_away),
            served.server.drain(slots=served.slots, go_away=go_away),
        )
        served.server.set_serving()
        assert calls == [1]


@async_test
async def test_idle_channels_with_health_watches_do_not_hold_up_the_end() -> None:
    async with (
        serving(FakeSpeechToText(until_finish), drain=DrainSettings(timeout_s=HANG_GUARD_S)) as served,
        open_channel(served.address) as idle,
    ):
        await idle.channel_ready()
        async with asyncio.timeout(HANG_GUARD_S / 2):
            await served.server.drain(slots=served.slots)


@async_test
async def test_a_unix_socket_serves_as_well() -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = GrpcServer(
            listen=f"unix:{folder}/s", telemetry=Telemetry("parley-stt"), drain=DrainSettings(timeout_s=0), services=[]
        )
        assert await server.start() == f"unix:{folder}/s"
        await server.drain(slots=Slots(1))
