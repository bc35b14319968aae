"""Channels go where there is health, and stay through change."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import grpc
import grpc.aio

from parley.stt.v1 import stt_pb2, stt_pb2_grpc
from servicekit.channels import MAX_MESSAGE_BYTES, channel_options, open_channel
from servicekit.server import DrainSettings, GrpcServer, Slots
from servicekit.telemetry import Telemetry
from tests.asyncs import async_test
from tests.fakes.servicekit_speech import FakeSpeechToText, audio, final, finish, next_of, ready, serving

HANG_GUARD_S = 20


async def until_finish(_: Any, requests: Any, context: Any) -> None:
    await context.write(ready())
    async for request in requests:
        if request.HasField("finish"):
            await context.write(final())


@async_test
async def test_new_streams_avoid_a_server_that_is_not_serving_and_live_ones_stay() -> None:
    first, second = FakeSpeechToText(until_finish), FakeSpeechToText(until_finish)
    async with serving(first) as one, serving(second, serve=False) as two:
        target = f"ipv4:{one.address},{two.address}"
        async with open_channel(target) as channel, asyncio.timeout(HANG_GUARD_S):
            stub = stt_pb2_grpc.SpeechToTextStub(channel)
            live = stub.Recognize(wait_for_ready=True)
            await live.read()
            assert first.entered.is_set()
            two.server.set_serving()
            one.server._health.set(serving=False)
            while not second.entered.is_set():
                call = stub.Recognize(wait_for_ready=True)
                await call.read()
                call.cancel()
            await live.write(audio())
            await live.write(finish())
            assert (await next_of(live)).HasField("final")
            await live.done_writing()
            assert await live.code() is grpc.StatusCode.OK


@async_test
async def test_a_channel_finds_its_server_again_after_a_restart() -> None:
    async with serving(FakeSpeechToText(until_finish)) as before:
        address = before.address
        channel = open_channel(address)
        stub = stt_pb2_grpc.SpeechToTextStub(channel)
        assert (await stub.GetInfo(stt_pb2.GetInfoRequest())).engine == "fake"
    again = GrpcServer(listen=address, telemetry=Telemetry("x"), drain=DrainSettings(timeout_s=0), services=[])
    stt_pb2_grpc.add_SpeechToTextServicer_to_server(FakeSpeechToText(until_finish), again.grpc)
    await again.start()
    again.set_serving()
    async with asyncio.timeout(HANG_GUARD_S):
        assert (await stub.GetInfo(stt_pb2.GetInfoRequest(), wait_for_ready=True)).engine == "fake"
    await channel.close()
    await again.drain(slots=Slots(1))


@async_test
async def test_a_payload_of_one_mebibyte_passes() -> None:
    async with serving(FakeSpeechToText(until_finish)) as served:
        call = served.stub.Recognize()
        await call.write(audio(b"x" * (1 << 20)))
        await call.write(finish())
        await call.done_writing()
        assert [answer.WhichOneof("message") async for answer in call] == ["ready", "final"]


def test_the_options_say_what_the_contracts_promise() -> None:
    options = dict(channel_options(service="parley.stt.v1.SpeechToText"))
    assert json.loads(options["grpc.service_config"]) == {
        "loadBalancingConfig": [{"round_robin": {}}],
        "healthCheckConfig": {"serviceName": "parley.stt.v1.SpeechToText"},
    }
    assert options["grpc.http2.bdp_probe"] == 0
    assert options["grpc.max_receive_message_length"] == MAX_MESSAGE_BYTES
