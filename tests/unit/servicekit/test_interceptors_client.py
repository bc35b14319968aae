"""A client span never reads OK unless the RPC was."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from servicekit import semconv
from servicekit.errors import Reason, abort
from servicekit.interceptors import client_rpc
from servicekit.telemetry import Telemetry
from tests.asyncs import async_test
from tests.fakes.servicekit_speech import RECOGNIZE, FakeSpeechToText, audio, serving


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def telemetry(exporter: InMemorySpanExporter) -> Telemetry:
    return Telemetry.recording("parley-orchestrator", exporter)


def only(exporter: InMemorySpanExporter) -> ReadableSpan:
    (span,) = exporter.get_finished_spans()
    return span


def status_of(span: ReadableSpan) -> tuple[object, StatusCode]:
    return (span.attributes or {}).get(semconv.RPC_RESPONSE_STATUS_CODE), span.status.status_code


def test_an_rpc_that_ended_well_is_ok(telemetry: Telemetry, exporter: InMemorySpanExporter) -> None:
    with client_rpc(telemetry, "/" + RECOGNIZE, attributes={semconv.VOICE_TURN_ID: 3}) as rpc:
        rpc.ended(grpc.StatusCode.OK)
    span = only(exporter)
    assert (span.name, span.kind) == (RECOGNIZE, SpanKind.CLIENT)
    assert status_of(span) == ("OK", StatusCode.UNSET)
    assert (span.attributes or {})[semconv.VOICE_TURN_ID] == 3


def test_our_own_cancellation_is_an_outcome_and_no_error(telemetry: Telemetry, exporter: InMemorySpanExporter) -> None:
    with client_rpc(telemetry, RECOGNIZE) as rpc:
        rpc.ended(grpc.StatusCode.CANCELLED)
    assert status_of(only(exporter)) == ("CANCELLED", StatusCode.UNSET)


def test_a_failure_is_an_error(telemetry: Telemetry, exporter: InMemorySpanExporter) -> None:
    with client_rpc(telemetry, RECOGNIZE) as rpc:
        rpc.ended(grpc.StatusCode.UNAVAILABLE, "DRAINING")
    span = only(exporter)
    assert status_of(span) == ("UNAVAILABLE", StatusCode.ERROR)
    assert (span.attributes or {})[semconv.RPC_ERROR_REASON] == "DRAINING"


def test_one_that_nobody_ended_is_an_error(telemetry: Telemetry, exporter: InMemorySpanExporter) -> None:
    with client_rpc(telemetry, RECOGNIZE):
        pass
    assert status_of(only(exporter)) == ("UNKNOWN", StatusCode.ERROR)


def test_the_first_word_counts(telemetry: Telemetry, exporter: InMemorySpanExporter) -> None:
    with client_rpc(telemetry, RECOGNIZE) as rpc:
        rpc.ended(grpc.StatusCode.CANCELLED)
        rpc.ended(grpc.StatusCode.OK)
    assert status_of(only(exporter)) == ("CANCELLED", StatusCode.UNSET)


def test_a_cancelled_task_reads_cancelled(telemetry: Telemetry, exporter: InMemorySpanExporter) -> None:
    with pytest.raises(asyncio.CancelledError), client_rpc(telemetry, RECOGNIZE):
        raise asyncio.CancelledError
    assert status_of(only(exporter)) == ("CANCELLED", StatusCode.UNSET)


def test_a_bug_is_recorded_without_its_words(telemetry: Telemetry, exporter: InMemorySpanExporter) -> None:
    words = "my wish"
    with pytest.raises(ValueError, match="wish"), client_rpc(telemetry, RECOGNIZE):
        raise ValueError(words)
    span = only(exporter)
    assert status_of(span) == ("UNKNOWN", StatusCode.ERROR)
    assert (span.attributes or {})[semconv.ERROR_TYPE] == "ValueError"
    assert words not in span.to_json()


def test_metadata_and_context_name_this_span(telemetry: Telemetry, exporter: InMemorySpanExporter) -> None:
    root = telemetry.tracer.start_span("turn")
    with client_rpc(telemetry, RECOGNIZE, trace.set_span_in_context(root)) as rpc:
        inside = trace.get_current_span(rpc.context).get_span_context()
        assert f"{inside.span_id:016x}" in dict(rpc.metadata)["traceparent"]
        assert trace.get_current_span() is trace.INVALID_SPAN
        rpc.ended(grpc.StatusCode.OK)
    span = only(exporter)
    assert span.parent is not None
    assert span.parent.span_id == root.get_span_context().span_id


def test_with_telemetry_off_it_is_inert() -> None:
    with client_rpc(Telemetry("parley-orchestrator"), RECOGNIZE) as rpc:
        assert rpc.metadata == ()
        rpc.ended(grpc.StatusCode.OK)


@async_test
async def test_a_refusal_by_the_server_is_an_error_with_its_reason() -> None:
    async def refuse(_: Any, __: Any, context: Any) -> None:
        await abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.CAPACITY, "full")

    exporter = InMemorySpanExporter()
    telemetry = Telemetry.recording("parley-orchestrator", exporter)
    async with serving(FakeSpeechToText(refuse)) as served:
        with pytest.raises(grpc.aio.AioRpcError), client_rpc(telemetry, RECOGNIZE) as rpc:
            await served.stub.Recognize(metadata=rpc.metadata).read()
    span = only(exporter)
    assert status_of(span) == ("RESOURCE_EXHAUSTED", StatusCode.ERROR)
    assert (span.attributes or {})[semconv.RPC_ERROR_REASON] == "CAPACITY"


@async_test
async def test_both_sides_of_an_rpc_are_one_edge_of_one_trace() -> None:
    async def read_all(_: Any, requests: Any, __: Any) -> None:
        async for _request in requests:
            pass

    exporter = InMemorySpanExporter()
    telemetry = Telemetry.recording("parley", exporter)
    async with serving(FakeSpeechToText(read_all), telemetry=telemetry) as served:
        with client_rpc(telemetry, RECOGNIZE) as rpc:
            call = served.stub.Recognize(metadata=rpc.metadata)
            await call.write(audio())
            await call.done_writing()
            rpc.ended(await call.code())
    by_kind = {span.kind: span for span in exporter.get_finished_spans()}
    server, client = by_kind[SpanKind.SERVER], by_kind[SpanKind.CLIENT]
    assert server.parent is not None
    assert client.context is not None
    assert server.parent.span_id == client.context.span_id
