"""Server spans tell how an RPC really ended, whatever way the servicer is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from parley.conversation.v1 import conversation_pb2, conversation_pb2_grpc
from parley.stt.v1 import stt_pb2
from servicekit import semconv
from servicekit.errors import Reason, abort, reason_of
from servicekit.interceptors import server_interceptors
from servicekit.telemetry import Telemetry
from tests.asyncs import async_test
from tests.fakes.servicekit_speech import (
    RECOGNIZE,
    FakeSpeechToText,
    FakeYieldingSpeechToText,
    audio,
    final,
    finish,
    ready,
    serving,
)

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
METADATA = (("traceparent", TRACEPARENT),)
HANG_GUARD_S = 20


class EndedSpans(InMemorySpanExporter):
    def __init__(self) -> None:
        super().__init__()
        self.ended = asyncio.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.ended.set()
        return super().export(spans)


class Spans:
    def __init__(self) -> None:
        self._exporter = EndedSpans()
        self.telemetry = Telemetry.recording("parley-stt", self._exporter)

    async def one(self) -> ReadableSpan:
        """The one span, as soon as it has ended."""
        async with asyncio.timeout(HANG_GUARD_S):
            await self._exporter.ended.wait()
        (span,) = self._exporter.get_finished_spans()
        return span

    def none(self) -> bool:
        return not self._exporter.get_finished_spans()


def status_of(span: ReadableSpan) -> tuple[object, StatusCode]:
    return (span.attributes or {}).get(semconv.RPC_RESPONSE_STATUS_CODE), span.status.status_code


async def answer(_: Any, requests: AsyncIterator[stt_pb2.RecognizeRequest], context: Any) -> None:
    await context.write(ready())
    async for request in requests:
        if request.HasField("finish"):
            await context.write(final("done"))


async def answer_by_reading(_: Any, __: Any, context: Any) -> None:
    await context.write(ready())
    while (request := await context.read()) is not grpc.aio.EOF:
        if request.HasField("finish"):
            await context.write(final("done"))


@pytest.mark.parametrize("servicer", [answer, answer_by_reading])
@async_test
async def test_a_finished_stream_is_a_child_of_its_caller_and_ok(servicer: Any) -> None:
    spans = Spans()
    speech = FakeSpeechToText(servicer)
    async with serving(speech, telemetry=spans.telemetry) as served:
        call = served.stub.Recognize(metadata=METADATA)
        await call.write(audio())
        await call.write(finish())
        await call.done_writing()
        assert [response.WhichOneof("message") async for response in call] == ["ready", "final"]
        span = await spans.one()
    assert span.name == RECOGNIZE
    assert span.kind is SpanKind.SERVER
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "00f067aa0ba902b7"
    assert span.parent.is_remote
    assert span.context is not None
    assert speech.active_span.span_id == span.context.span_id
    assert status_of(span) == ("OK", StatusCode.UNSET)
    assert dict(span.attributes or {}) == {
        "rpc.system.name": "grpc", "rpc.method": RECOGNIZE, "rpc.response.status_code": "OK"
    }  # fmt: skip


@async_test
async def test_a_servicer_that_yields_works_and_has_its_span_active() -> None:
    spans = Spans()
    speech = FakeYieldingSpeechToText()
    async with serving(speech, telemetry=spans.telemetry) as served:
        call = served.stub.Recognize(metadata=METADATA)
        await call.write(audio(b"abc"))
        await call.done_writing()
        assert [response.final.text async for response in call] == ["", "3"]
        span = await spans.one()
    assert status_of(span) == ("OK", StatusCode.UNSET)
    assert span.context is not None
    assert speech.active_span.span_id == span.context.span_id


@async_test
async def test_a_unary_call_has_a_span_too() -> None:
    spans = Spans()
    speech = FakeSpeechToText(answer)
    async with serving(speech, telemetry=spans.telemetry) as served:
        info = await served.stub.GetInfo(stt_pb2.GetInfoRequest(), metadata=METADATA)
        span = await spans.one()
    assert info.engine == "fake"
    assert span.name == "parley.stt.v1.SpeechToText/GetInfo"
    assert status_of(span) == ("OK", StatusCode.UNSET)
    assert span.context is not None
    assert speech.active_span.span_id == span.context.span_id


@async_test
async def test_a_client_that_cancels_reads_cancelled_even_if_the_servicer_saw_a_normal_end() -> None:
    spans = Spans()
    async with serving(FakeSpeechToText(answer), telemetry=spans.telemetry) as served:
        call = served.stub.Recognize()
        await call.write(audio())
        await call.read()
        call.cancel()
        assert status_of(await spans.one()) == ("CANCELLED", StatusCode.UNSET)


@async_test
async def test_a_client_that_cancels_a_waiting_servicer_reads_cancelled() -> None:
    async def wait(_: Any, __: Any, context: Any) -> None:
        await context.write(ready())
        await asyncio.Event().wait()

    spans = Spans()
    async with serving(FakeSpeechToText(wait), telemetry=spans.telemetry) as served:
        call = served.stub.Recognize()
        await call.read()
        call.cancel()
        assert status_of(await spans.one()) == ("CANCELLED", StatusCode.UNSET)


@async_test
async def test_writing_to_a_client_that_is_gone_reads_cancelled() -> None:
    async def write_on(speech: Any, requests: Any, context: Any) -> None:
        await context.write(ready())
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await context.write(final("too late"))

    spans = Spans()
    async with serving(FakeSpeechToText(write_on), telemetry=spans.telemetry) as served:
        call = served.stub.Recognize()
        await call.read()
        call.cancel()
        assert status_of(await spans.one()) == ("CANCELLED", StatusCode.UNSET)


@async_test
async def test_a_yielding_servicer_is_closed_at_once_when_its_client_cancels() -> None:
    spans = Spans()
    speech = FakeYieldingSpeechToText()
    async with serving(speech, telemetry=spans.telemetry) as served:
        call = served.stub.Recognize()
        await call.read()
        call.cancel()
        async with asyncio.timeout(HANG_GUARD_S):
            await speech.closed.wait()
        assert status_of(await spans.one()) == ("CANCELLED", StatusCode.UNSET)


@async_test
async def test_a_deadline_reads_deadline_exceeded_and_is_an_error() -> None:
    async def wait(*_: Any) -> None:
        await asyncio.Event().wait()

    spans = Spans()
    async with serving(FakeSpeechToText(wait), telemetry=spans.telemetry) as served:
        call = served.stub.Recognize(timeout=0.1)
        assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert status_of(await spans.one()) == ("DEADLINE_EXCEEDED", StatusCode.ERROR)


@pytest.mark.parametrize(
    ("code", "reason", "status"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.CAPACITY, StatusCode.UNSET),
        (grpc.StatusCode.INVALID_ARGUMENT, Reason.MESSAGE_ORDER, StatusCode.UNSET),
        (grpc.StatusCode.UNAVAILABLE, Reason.ENGINE_FAILED, StatusCode.ERROR),
        (grpc.StatusCode.CANCELLED, "", StatusCode.UNSET),
    ],
)
@async_test
async def test_an_abort_keeps_its_code_and_reason(code: grpc.StatusCode, reason: str, status: StatusCode) -> None:
    async def refuse(_: Any, __: Any, context: Any) -> None:
        await abort(context, code, reason, "refused")

    spans = Spans()
    async with serving(FakeSpeechToText(refuse), telemetry=spans.telemetry) as served:
        assert await served.stub.Recognize().code() is code
        span = await spans.one()
    assert status_of(span) == (code.name, status)
    assert (span.attributes or {}).get(semconv.RPC_ERROR_REASON, "") == reason
    assert span.events == ()


@async_test
async def test_a_status_set_by_hand_is_the_spans_too() -> None:
    async def give_up(_: Any, __: Any, context: Any) -> None:
        context.set_code(grpc.StatusCode.UNAVAILABLE)

    spans = Spans()
    async with serving(FakeSpeechToText(give_up), telemetry=spans.telemetry) as served:
        assert await served.stub.Recognize().code() is grpc.StatusCode.UNAVAILABLE
        assert status_of(await spans.one()) == ("UNAVAILABLE", StatusCode.ERROR)


@async_test
async def test_an_abort_in_a_task_group_is_still_that_abort() -> None:
    async def refuse(_: Any, __: Any, context: Any) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.CAPACITY, "full"))
            group.create_task(asyncio.Event().wait())

    spans = Spans()
    async with serving(FakeSpeechToText(refuse), telemetry=spans.telemetry) as served:
        call = served.stub.Recognize()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        span = await spans.one()
    assert reason_of(caught.value) == Reason.CAPACITY
    assert status_of(span) == ("RESOURCE_EXHAUSTED", StatusCode.UNSET)


@pytest.mark.parametrize("grouped", [False, True])
@async_test
async def test_an_unexpected_exception_is_internal_and_its_words_stay_here(grouped: bool) -> None:
    async def fail() -> None:
        raise LookupError("the caller said: my wish")

    async def break_down(_: Any, __: Any, context: Any) -> None:
        await context.write(ready())
        if grouped:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
        await fail()

    spans = Spans()
    async with serving(FakeSpeechToText(break_down), telemetry=spans.telemetry) as served:
        call = served.stub.Recognize()
        await call.read()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        span = await spans.one()
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert reason_of(caught.value) == Reason.INTERNAL
    assert "wish" not in str(caught.value)
    assert status_of(span) == ("INTERNAL", StatusCode.ERROR)
    assert (span.attributes or {})[semconv.ERROR_TYPE] == "LookupError"
    (event,) = span.events
    assert "fail" in str((event.attributes or {})[semconv.EXCEPTION_STACKTRACE])
    assert "the caller said: my wish" not in span.to_json().replace('raise LookupError(\\"the caller said', "")


@async_test
async def test_a_failing_generator_is_internal_too() -> None:
    class Broken(FakeYieldingSpeechToText):
        async def Recognize(self, request_iterator: Any, context: Any) -> Any:  # noqa: N802
            yield ready()
            raise OSError("my wish")

    spans = Spans()
    async with serving(Broken(), telemetry=spans.telemetry) as served:
        call = served.stub.Recognize()
        await call.read()
        assert await call.code() is grpc.StatusCode.INTERNAL
        assert status_of(await spans.one()) == ("INTERNAL", StatusCode.ERROR)


@async_test
async def test_health_and_reflection_leave_no_span() -> None:
    spans = Spans()
    async with serving(FakeSpeechToText(answer), telemetry=spans.telemetry) as served:
        health = health_pb2_grpc.HealthStub(served.channel)
        await health.Check(health_pb2.HealthCheckRequest(), metadata=METADATA)
        assert spans.none()


@async_test
async def test_with_telemetry_off_the_boundary_holds_and_the_trace_passes_through() -> None:
    async def fail(*_: Any) -> None:
        raise RuntimeError("my wish")

    speech = FakeSpeechToText(fail)
    async with serving(speech) as served:
        assert await served.stub.Recognize(metadata=METADATA).code() is grpc.StatusCode.INTERNAL
    assert f"{speech.active_span.span_id:016x}" == "00f067aa0ba902b7"


@async_test
async def test_a_method_that_is_not_there_stays_unimplemented() -> None:
    async with serving(FakeSpeechToText(answer)) as served:
        ask: Any = served.channel.unary_unary("/parley.stt.v1.SpeechToText/Nothing")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ask(b"")
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


class FakeConversation(conversation_pb2_grpc.ConversationServicer):
    """Notes the context it was called in."""

    active_span_id = 0

    async def Converse(self, request_iterator: Any, context: Any) -> None:  # type: ignore[override]  # noqa: N802
        self.active_span_id = trace.get_current_span().get_span_context().span_id
        await context.write(conversation_pb2.AgentEvent())


@async_test
async def test_converse_gets_the_callers_context_and_no_span_as_long_as_the_call() -> None:
    spans = Spans()
    conversation = FakeConversation()  # type: ignore[abstract]
    server = grpc.aio.server(interceptors=server_interceptors(spans.telemetry))
    conversation_pb2_grpc.add_ConversationServicer_to_server(conversation, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = conversation_pb2_grpc.ConversationStub(channel).Converse(metadata=METADATA)
        assert [event async for event in call] == [conversation_pb2.AgentEvent()]
        assert await call.code() is grpc.StatusCode.OK
    await server.stop(0)
    assert f"{conversation.active_span_id:016x}" == "00f067aa0ba902b7"
    assert spans.none()
