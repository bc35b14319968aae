"""The exchanges in the contracts' comments: each is replayed over gRPC and keeps the order it is there to show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from servicekit.protocol import ConverseOrder, OrderError, RecognizeOrder, SynthesizeOrder
from tests.asyncs import async_test
from tests.contract.examples import TYPES, Example, Line, examples

EXAMPLES = list(examples())
ORDERS: dict[str, type[ConverseOrder] | type[RecognizeOrder] | type[SynthesizeOrder]] = {
    "Converse": ConverseOrder,
    "Recognize": RecognizeOrder,
    "Synthesize": SynthesizeOrder,
}


def keep_order(rpc: str, lines: tuple[Line, ...]) -> None:
    order: Any = ORDERS[rpc.rsplit(".", 1)[1]]()
    for line in lines:
        (order.client if line.from_client else order.server)(line.message)
    order.client_closed()


def test_the_exchanges_a_reader_needs_are_there() -> None:
    titles = {str(example) for example in EXAMPLES}
    needed = {
        "Converse: plain turn",
        "Converse: barge-in with resumed tail",
        "Converse: reopened turn",
        "Converse: discarded speculation",
        "Converse: failover in mid-reply",
        "Converse: transfer",
        "Recognize: plain utterance",
        "Recognize: early final, then the caller went on",
        "Synthesize: plain reply",
    }
    assert needed <= titles


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_an_example_keeps_the_order(example: Example) -> None:
    keep_order(example.rpc, example.lines)


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_without_its_first_or_last_client_message_an_example_breaks_the_order(example: Example) -> None:
    first = next(i for i, line in enumerate(example.lines) if line.from_client)
    last = max(i for i, line in enumerate(example.lines) if line.from_client)
    for missing in (first, last):
        with pytest.raises(OrderError):
            keep_order(example.rpc, example.lines[:missing] + example.lines[missing + 1 :])


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_a_second_first_message_or_one_after_the_last_breaks_the_order(example: Example) -> None:
    client = [line for line in example.lines if line.from_client]
    after_ready = next(i for i, line in enumerate(example.lines) if not line.from_client) + 1
    with pytest.raises(OrderError):
        keep_order(example.rpc, (*example.lines[:after_ready], client[0], *example.lines[after_ready:]))
    with pytest.raises(OrderError):
        keep_order(example.rpc, (*example.lines, client[-1]))


@pytest.mark.parametrize("example", [example for example in EXAMPLES if "barge-in" in example.title], ids=str)
def test_audio_after_its_clear_breaks_the_order(example: Example) -> None:
    audio = next(line for line in example.lines if not line.from_client and line.message.WhichOneof("event") == "audio")
    clear = next(
        i
        for i, line in enumerate(example.lines)
        if not line.from_client and line.message.WhichOneof("event") == "clear"
    )
    with pytest.raises(OrderError, match="cleared"):
        keep_order(example.rpc, (*example.lines[: clear + 1], audio, *example.lines[clear + 1 :]))


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
@async_test
async def test_an_example_is_replayed_over_grpc_word_for_word(example: Example) -> None:
    """Both sides act strictly in the example's order, so a deadlock or a lost message would show."""
    request, response = TYPES[example.rpc]
    heard: list[Message] = []

    async def serve(requests: AsyncIterator[Message], _: Any) -> AsyncIterator[Message]:
        for line in example.lines:
            if line.from_client:
                heard.append(await anext(requests))
            else:
                yield line.message

    service, method = example.rpc.rsplit(".", 1)
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    handler = grpc.stream_stream_rpc_method_handler(
        serve, request_deserializer=request.FromString, response_serializer=response.SerializeToString
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.stream_stream(
                f"/{service}/{method}",
                request_serializer=request.SerializeToString,
                response_deserializer=response.FromString,
            )()
            async with asyncio.timeout(30):
                for line in example.lines:
                    if line.from_client:
                        await call.write(line.message)
                    else:
                        assert await call.read() == line.message
                await call.done_writing()
                assert await call.read() is grpc.aio.EOF
                assert await call.code() is grpc.StatusCode.OK
    finally:
        await server.stop(None)
    assert heard == example.client_messages()
