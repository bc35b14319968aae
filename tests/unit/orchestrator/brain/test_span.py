"""The span of a question: truthful, by the GenAI conventions, without a word of what was said."""

from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from orchestrator.brain import BrainError
from servicekit import semconv
from servicekit.telemetry import Telemetry
from tests.asyncs import async_test
from tests.fakes.brain_servers import DONE, Act, FakeBrainServer, data, delta, status, streaming, streaming_then_silent
from tests.unit.orchestrator.brain.asking import brain_at, question, whole_reply


class Traced:
    """A brain whose spans can be read."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.telemetry = Telemetry.recording("test", self.exporter)

    @property
    def span(self) -> ReadableSpan:
        return next(span for span in self.exporter.get_finished_spans() if span.name.startswith("chat"))


@async_test
async def test_an_answer_has_model_times_and_token_counts_under_its_turn() -> None:
    traced = Traced()
    usage = data({"choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 3}})
    async with FakeBrainServer(streaming(delta("secret answer"), delta(finish="stop"), usage, DONE)) as server:
        brain = brain_at(server.base_url, traced.telemetry)
        with traced.telemetry.tracer.start_as_current_span("turn") as turn:
            parent = trace.set_span_in_context(turn)
        await whole_reply(brain, question("secret question", parent=parent))
        await brain.close()
    span = traced.span
    attributes = dict(span.attributes or {})
    assert span.name == "chat fake"
    assert span.kind is SpanKind.CLIENT
    assert span.parent is not None
    assert span.parent.span_id == turn.get_span_context().span_id
    assert span.status.status_code is StatusCode.UNSET
    assert attributes[semconv.GEN_AI_REQUEST_MODEL] == "fake"
    assert attributes[semconv.VOICE_CALL_ID] == "call-1"
    assert attributes[semconv.GEN_AI_RESPONSE_FINISH_REASONS] == ("stop",)
    assert attributes[semconv.GEN_AI_USAGE_INPUT_TOKENS] == 12
    assert attributes[semconv.GEN_AI_USAGE_OUTPUT_TOKENS] == 3
    assert semconv.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK in attributes
    assert [event.name for event in span.events] == [semconv.EVENT_LLM_FIRST_CONTENT]
    assert "secret" not in span.to_json()


@async_test
async def test_the_trace_goes_along_with_the_request() -> None:
    traced = Traced()
    async with FakeBrainServer(streaming(delta("Four."), DONE)) as server:
        brain = brain_at(server.base_url, traced.telemetry)
        await whole_reply(brain)
        await brain.close()
    assert f"{traced.span.context.span_id:016x}" in server.requests[0].headers["traceparent"]


@async_test
async def test_a_reply_given_up_is_no_error_and_says_so() -> None:
    traced = Traced()
    async with FakeBrainServer(streaming_then_silent(delta("Once upon"))) as server:
        brain = brain_at(server.base_url, traced.telemetry)
        reply = brain.reply(question())
        await anext(reply)
        await reply.aclose()
        await brain.close()
    assert traced.span.status.status_code is StatusCode.UNSET
    assert dict(traced.span.attributes or {})[semconv.GEN_AI_RESPONSE_FINISH_REASONS] == ("cancelled",)


@pytest.mark.parametrize(
    ("act", "kind"),
    [(status(401), "auth"), (streaming(delta("A"), data({"error": {"message": "secret"}})), "server")],
)
def test_a_failed_answer_is_an_error_of_its_kind(act: Act, kind: str) -> None:
    @async_test
    async def scenario() -> None:
        traced = Traced()
        async with FakeBrainServer(act) as server:
            brain = brain_at(server.base_url, traced.telemetry)
            with pytest.raises(BrainError):
                await whole_reply(brain)
            await brain.close()
        assert traced.span.status.status_code is StatusCode.ERROR
        assert dict(traced.span.attributes or {})[semconv.ERROR_TYPE] == kind
        assert "secret" not in traced.span.to_json()

    scenario()
