"""What a reply leaves in traces and metrics: spans, counts, and none of its words."""

from __future__ import annotations

import grpc
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from servicekit import semconv
from servicekit.telemetry import Telemetry
from tests.asyncs import async_test
from tests.fakes.tts_service_engine import FakeEngine
from tests.unit.tts_service.loopback import FINISH, config, refused, response, serving, synthesize, text

WORDS = "rosebud"


@async_test
async def test_each_segment_is_a_span_below_the_rpcs_and_holds_counts_but_no_words() -> None:
    exporter = InMemorySpanExporter()
    async with serving(FakeEngine(), telemetry=Telemetry.recording("parley-tts", exporter)) as service:
        await synthesize(service.stub, [config(), text(1, WORDS), text(2, "..."), text(3, WORDS), FINISH])
    spans = exporter.get_finished_spans()
    (rpc,) = (span for span in spans if span.name == "parley.tts.v1.TextToSpeech/Synthesize")
    segments = [span for span in spans if span.name == semconv.SPAN_TTS_SEGMENT]
    assert len(segments) == 2  # nothing was synthesised for the dots
    assert rpc.context is not None
    for span in segments:
        assert span.parent is not None
        assert span.parent.span_id == rpc.context.span_id
        assert span.attributes is not None
        assert span.attributes[semconv.VOICE_SEGMENT_CHARACTERS] == len(WORDS)
        assert span.attributes[semconv.VOICE_AUDIO_MS] == 100 * len(WORDS)
        assert span.attributes[semconv.VOICE_ENGINE] == "fake"
    assert [event.name for event in segments[0].events] == [semconv.EVENT_TTS_FIRST_AUDIO]
    assert segments[1].events == ()
    assert not any(WORDS in span.to_json() for span in spans)


@async_test
async def test_a_failed_and_a_cancelled_reply_read_so() -> None:
    exporter = InMemorySpanExporter()
    engine = FakeEngine(fails_on="!")
    async with serving(engine, capacity=1, telemetry=Telemetry.recording("parley-tts", exporter)) as service:
        await refused(service.stub, [config(), text(1, "a!"), FINISH])
        failed = {span.name: span for span in exporter.get_finished_spans()}
        exporter.clear()
        call = service.stub.Synthesize()
        await call.write(config())
        await call.write(text(1, "a" * 500))
        await call.write(FINISH)
        while not (await response(call)).HasField("audio"):
            pass
        call.cancel()
        await service.slots.wait_idle()
    assert not any("secret" in span.to_json() for span in failed.values())
    cancelled = {span.name: span for span in exporter.get_finished_spans()}
    name = "parley.tts.v1.TextToSpeech/Synthesize"
    attributes = failed[name].attributes
    assert attributes is not None
    assert attributes[semconv.RPC_RESPONSE_STATUS_CODE] == grpc.StatusCode.UNAVAILABLE.name
    assert failed[semconv.SPAN_TTS_SEGMENT].status.status_code is StatusCode.ERROR
    attributes = cancelled[name].attributes
    assert attributes is not None
    assert attributes[semconv.RPC_RESPONSE_STATUS_CODE] == grpc.StatusCode.CANCELLED.name
    # A barge-in is an outcome, not an error.
    assert cancelled[semconv.SPAN_TTS_SEGMENT].status.status_code is not StatusCode.ERROR


@async_test
async def test_slots_and_time_to_first_audio_are_metrics() -> None:
    reader = InMemoryMetricReader()
    async with serving(FakeEngine(), capacity=3, telemetry=Telemetry.recording("parley-tts", reader=reader)) as service:
        await synthesize(service.stub, [config(), text(1, "ab"), text(2, "cd"), FINISH])
        data = reader.get_metrics_data()
    assert data is not None
    metrics = {m.name: m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics}
    (first_audio,) = metrics[semconv.METRIC_TTS_FIRST_AUDIO].data.data_points
    assert first_audio.count == 1  # type: ignore[union-attr]
    (capacity,) = metrics[semconv.METRIC_SLOTS_CAPACITY].data.data_points
    assert capacity.value == 3  # type: ignore[union-attr]
