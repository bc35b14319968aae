"""Refusals carry a reason across the wire."""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio
import pytest

from parley.stt.v1 import stt_pb2
from servicekit.errors import Reason, abort, error_info, reason_of
from tests.asyncs import async_test
from tests.fakes.servicekit_speech import FakeSpeechToText, audio, serving


async def failure_of(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    return caught.value


@async_test
async def test_a_refusal_arrives_with_code_reason_message_and_metadata() -> None:
    async def refuse(_: Any, __: Any, context: Any) -> None:
        code = grpc.StatusCode.INVALID_ARGUMENT
        await abort(context, code, Reason.FORMAT_UNSUPPORTED, "no opus here", format="opus")

    async with serving(FakeSpeechToText(refuse)) as served:
        error = await failure_of(served.stub.Recognize())
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == "no opus here"
    assert reason_of(error) == "FORMAT_UNSUPPORTED"
    info = error_info(error.trailing_metadata())
    assert info is not None
    assert info.domain == "parley"
    assert dict(info.metadata) == {"format": "opus"}


@async_test
async def test_an_error_without_details_has_no_reason() -> None:
    async def refuse(_: Any, __: Any, context: Any) -> None:
        await context.abort(grpc.StatusCode.NOT_FOUND, "nothing")

    async with serving(FakeSpeechToText(refuse)) as served:
        assert reason_of(await failure_of(served.stub.Recognize())) == ""


@async_test
async def test_unreadable_details_are_no_reason() -> None:
    async def refuse(_: Any, __: Any, context: Any) -> None:
        await context.abort(
            grpc.StatusCode.NOT_FOUND, "nothing", trailing_metadata=(("grpc-status-details-bin", b"\xff\xff\xff"),)
        )

    async with serving(FakeSpeechToText(refuse)) as served:
        assert reason_of(await failure_of(served.stub.Recognize())) == ""


@async_test
async def test_a_message_of_five_mebibytes_is_too_large_and_others_go_on() -> None:
    async def drain_requests(_: Any, requests: Any, __: Any) -> None:
        async for _request in requests:
            pass

    async with serving(FakeSpeechToText(drain_requests)) as served:
        bystander = served.stub.Recognize()
        await bystander.write(audio())
        async with grpc.aio.insecure_channel(served.address) as unlimited:
            recognize = unlimited.stream_stream(
                "/parley.stt.v1.SpeechToText/Recognize",
                request_serializer=stt_pb2.RecognizeRequest.SerializeToString,
                response_deserializer=stt_pb2.RecognizeResponse.FromString,
            )
            call = recognize()
            await call.write(audio(b"x" * (5 << 20)))
            error = await failure_of(call)
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert reason_of(error) == Reason.MESSAGE_TOO_LARGE
        await bystander.write(audio(b"x" * (1 << 20)))
        await bystander.done_writing()
        assert await bystander.code() is grpc.StatusCode.OK
