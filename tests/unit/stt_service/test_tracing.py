"""What an utterance leaves in traces and metrics: spans, counts, and none of its words."""

from __future__ import annotations

from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from servicekit import semconv
from servicekit.telemetry import Telemetry
from stt_service.engines.pocketsphinx.engine import PocketsphinxEngine
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
    spoken,
)

RPC = "parley.stt.v1.SpeechToText/Recognize"


@async_test
async def test_each_final_is_a_span_below_the_rpcs_and_holds_counts_but_no_words() -> None:
    exporter = InMemorySpanExporter()
    engine = PocketsphinxEngine(SttSettings(capacity=1))
    async with serving(engine, telemetry=Telemetry.recording("parley-stt", exporter)) as service:
        await recognize(service.stub, [config(), *in_pieces(spoken("who are you")), FINISH])
    spans = exporter.get_finished_spans()
    (rpc,) = (span for span in spans if span.name == RPC)
    (decode,) = (span for span in spans if span.name == semconv.SPAN_STT_DECODE)
    assert rpc.context is not None
    assert decode.parent is not None
    assert decode.parent.span_id == rpc.context.span_id
    assert decode.attributes is not None
    assert decode.attributes[semconv.VOICE_ENGINE] == "pocketsphinx"
    assert decode.attributes[semconv.VOICE_FINALIZE_ID] == 0
    assert decode.attributes[semconv.VOICE_TRANSCRIPT_CHARACTERS] == len("who are you")
    assert decode.attributes[semconv.VOICE_LANGUAGE] == "en"
    assert not any("who are" in span.to_json() for span in spans)


@async_test
async def test_a_failed_and_a_cancelled_utterance_read_so() -> None:
    exporter = InMemorySpanExporter()
    engine = FakeEngine(fails=True)
    async with serving(engine, telemetry=Telemetry.recording("parley-stt", exporter)) as service:
        await refused(service.stub, [config(), audio(b"\xff" * 800), finalize(1)])
        failed = {span.name: span for span in exporter.get_finished_spans()}
        exporter.clear()
        call = service.stub.Recognize()
        await call.write(config())
        assert (await response(call)).HasField("ready")
        call.cancel()
        await service.slots.wait_idle()
    assert failed[RPC].status.status_code is StatusCode.ERROR
    assert failed[semconv.SPAN_STT_DECODE].status.status_code is StatusCode.ERROR
    (cancelled,) = exporter.get_finished_spans()
    assert cancelled.attributes is not None
    assert cancelled.attributes[semconv.RPC_RESPONSE_STATUS_CODE] == "CANCELLED"
    assert cancelled.status.status_code is StatusCode.UNSET
