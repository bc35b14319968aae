"""Telemetry: off it costs nothing, on it arrives, and a dead collector harms nobody."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from parley.audio.v1 import audio_pb2
from servicekit import version
from servicekit.telemetry import Telemetry, TelemetrySettings, from_metadata, from_proto, to_metadata, to_proto
from servicekit.telemetry.exporting import _Deliveries
from tests.fakes.servicekit_collector import collecting

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
HANG_GUARD_S = 30


def remote() -> Context:
    return from_metadata([("traceparent", TRACEPARENT), ("tracestate", "vendor=1")])


def shut_down(telemetry: Telemetry) -> None:
    """Shut down on a thread, so that a hang fails the test instead of the run."""
    thread = threading.Thread(target=telemetry.shutdown)
    thread.start()
    thread.join(HANG_GUARD_S)
    assert not thread.is_alive()


def test_off_by_default_and_then_nothing_is_recorded_or_started() -> None:
    before = threading.active_count()
    telemetry = Telemetry.start("parley-stt", TelemetrySettings())
    with telemetry.tracer.start_as_current_span("turn") as span:
        assert not span.is_recording()
        assert to_metadata() == ()
    telemetry.meter.create_histogram("x").record(1)
    assert (telemetry.enabled, telemetry.metrics_enabled) == (False, False)
    assert threading.active_count() == before
    telemetry.shutdown()


def test_off_the_callers_trace_still_passes_through() -> None:
    telemetry = Telemetry("parley-stt")
    span = telemetry.tracer.start_span("turn", context=remote())
    assert dict(to_metadata(trace.set_span_in_context(span)))["traceparent"] == TRACEPARENT


def test_spans_and_metrics_reach_the_collector_with_the_services_name() -> None:
    with collecting() as (collector, address):
        settings = TelemetrySettings(traces_endpoint=address, metrics_endpoint=address, service_instance="one")
        telemetry = Telemetry.start("parley-stt", settings)
        with telemetry.tracer.start_as_current_span("turn"):
            telemetry.meter.create_counter("parley.turns").add(1)
        shut_down(telemetry)
        assert collector.span_names == ["turn"]
        assert collector.metric_names == {"parley.turns"}
        assert collector.resource["service.name"] == "parley-stt"
        assert collector.resource["service.instance.id"] == "one"
        assert collector.resource["service.version"] == version()


def test_replicas_are_told_apart_without_any_setting() -> None:
    exporter = InMemorySpanExporter()
    Telemetry.recording("parley-stt", exporter).tracer.start_span("x").end()
    assert exporter.get_finished_spans()[0].resource.attributes["service.instance.id"]


def test_a_dead_collector_is_reported_once_and_shutdown_still_ends(caplog: pytest.LogCaptureFixture) -> None:
    with collecting() as (_, address):
        pass
    caplog.set_level(logging.DEBUG)
    telemetry = Telemetry.start("parley-stt", TelemetrySettings(traces_endpoint=address))
    for _ in range(6000):
        telemetry.tracer.start_span("turn").end()
    shut_down(telemetry)
    said = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.name for record in said] == ["servicekit.telemetry.exporting"]
    assert f"The collector at {address} takes no traces" in said[0].getMessage()
    assert "telemetry.traces_endpoint" in said[0].getMessage()


def test_a_collector_that_never_answers_does_not_hold_up_the_end() -> None:
    with collecting() as (collector, address):
        collector.silent = True
        settings = TelemetrySettings(traces_endpoint=address, metrics_endpoint=address)
        telemetry = Telemetry.start("parley-stt", settings)
        telemetry.meter.create_counter("parley.turns").add(1)
        for _ in range(3000):
            telemetry.tracer.start_span("turn").end()
        shut_down(telemetry)


def noting(lost: threading.Event) -> Callable[[_Deliveries, bool], None]:
    """The original, which also tells of the first loss."""
    note = _Deliveries.note

    def told(self: _Deliveries, delivered: bool) -> None:
        note(self, delivered)
        if not delivered:
            lost.set()

    return told


def test_a_collector_that_comes_back_is_used_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    lost = threading.Event()
    monkeypatch.setattr("servicekit.telemetry.exporting._Deliveries.note", noting(lost))
    with collecting() as (_, address):
        pass
    telemetry = Telemetry.start("parley-stt", TelemetrySettings(traces_endpoint=address))
    telemetry.tracer.start_span("lost").end()
    assert lost.wait(HANG_GUARD_S)
    with collecting(address) as (collector, _):
        telemetry.tracer.start_span("kept").end()
        assert collector.wait_for_span("kept")
        shut_down(telemetry)
    assert "takes traces again; 1 batches were lost" in caplog.text


def test_shutting_down_twice_is_harmless() -> None:
    telemetry = Telemetry.start("parley-stt", TelemetrySettings(traces_endpoint="127.0.0.1:1"))
    shut_down(telemetry)
    shut_down(telemetry)


def test_a_span_travels_in_a_message_and_back() -> None:
    sent = to_proto(remote())
    assert (sent.traceparent, sent.tracestate) == (TRACEPARENT, "vendor=1")
    assert trace.get_current_span(from_proto(sent)).get_span_context().is_remote
    assert to_proto(from_proto(sent)) == sent


def test_a_span_travels_in_metadata_and_back() -> None:
    assert dict(to_metadata(remote())) == {"traceparent": TRACEPARENT, "tracestate": "vendor=1"}


def test_nothing_in_is_nothing_out() -> None:
    assert to_proto(Context()) == audio_pb2.TraceContext()
    assert to_metadata(Context()) == ()


@pytest.mark.parametrize("traceparent", ["", "garbage", "00-0-0-01", "ff" * 30])
def test_an_unreadable_parent_is_none_and_never_the_current_span(traceparent: str) -> None:
    current = NonRecordingSpan(SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1)))
    with trace.use_span(current):
        for context in (
            from_proto(audio_pb2.TraceContext(traceparent=traceparent)),
            from_metadata([("traceparent", traceparent), ("other", b"x")]),
            from_metadata(None),
        ):
            assert not trace.get_current_span(context).get_span_context().is_valid
