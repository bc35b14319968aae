"""One turn is one trace."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from orchestrator.recognition import METHOD as RECOGNIZE
from orchestrator.synthesis import METHOD as SYNTHESIZE
from parley.conversation.v1 import conversation_pb2 as conv
from servicekit import semconv
from servicekit.telemetry import Telemetry, from_proto, to_proto
from tests.asyncs import async_test
from tests.fakes.orchestrator_brain import FakeBrain
from tests.fakes.orchestrator_gateway import conversations, start_of
from tests.fakes.orchestrator_stt import FakeStt


def named(spans: tuple[ReadableSpan, ...], name: str) -> ReadableSpan:
    """The one span of that name that belongs to a turn."""
    (span,) = (s for s in spans if s.name == name and (s.attributes or {}).get(semconv.VOICE_TURN_ID) == 1)
    return span


@async_test
async def test_recognition_endpointing_response_and_synthesis_are_children_of_the_turn() -> None:
    exporter = InMemorySpanExporter()
    telemetry = Telemetry.recording("parley-orchestrator", exporter)
    with telemetry.tracer.start_as_current_span(semconv.SPAN_CALL_SETUP) as setup:
        start = start_of()
        start.call_trace.CopyFrom(to_proto())
    stt = FakeStt(["what time is it"])
    async with (
        conversations(FakeBrain(), stt, telemetry=telemetry) as service,
        service.call(start) as call,
    ):
        await call.answer_greeting()
        await call.ask()
        ended = await call.turn(1, conv.TURN_STATE_ENDED)
        playout = (await call.until(lambda e: e.playout.turn_id == 1)).playout
        await call.hang_up()
    spans = exporter.get_finished_spans()
    turn = named(spans, semconv.SPAN_TURN)
    assert turn.parent is None
    assert [link.context.trace_id for link in turn.links] == [setup.get_span_context().trace_id]
    assert turn.context is not None
    for name in (RECOGNIZE, SYNTHESIZE, semconv.SPAN_ENDPOINTING, semconv.SPAN_RESPONSE):
        child = named(spans, name)
        assert child.parent is not None
        assert child.parent.span_id == turn.context.span_id, name
        assert (child.attributes or {})[semconv.VOICE_CALL_ID] == "c1"
    assert (turn.attributes or {})[semconv.VOICE_TURN_OUTCOME] == "completed"
    assert turn.status.status_code is not StatusCode.ERROR
    milestones = [event.name for event in turn.events]
    assert milestones.index(semconv.EVENT_COMMIT) < milestones.index(semconv.EVENT_FIRST_FRAME_SENT)
    for carried in (ended.trace, playout.trace):
        assert str(from_proto(carried)) != "{}"
        assert f"{turn.context.trace_id:032x}" in carried.traceparent


@async_test
async def test_a_turn_reports_its_stages_in_order() -> None:
    async with conversations(FakeBrain(), FakeStt(["what time is it"])) as service, service.call() as call:
        await call.answer_greeting()
        await call.ask()
        timings = (await call.turn(1, conv.TURN_STATE_ENDED)).timings
        await call.hang_up()
    stages = [
        timings.stt_final,
        timings.commit,
        timings.llm_request,
        timings.llm_first_content,
        timings.first_clause,
        timings.tts_first_audio,
        timings.first_frame_sent,
    ]
    assert [s.ToMicroseconds() for s in stages] == sorted(s.ToMicroseconds() for s in stages)
    assert timings.eos_offset.ToMilliseconds() == pytest.approx(1300, abs=32)
    assert timings.HasField("first_frame_heard")
