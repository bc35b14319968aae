"""The span of one question to the brain, by OpenTelemetry's GenAI conventions; it never holds what was said."""

from __future__ import annotations

from types import TracebackType

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode

from orchestrator.brain.contract import BrainRequest
from orchestrator.brain.errors import BrainError
from orchestrator.brain.settings import BrainSettings
from orchestrator.brain.stream import ReplyReader
from servicekit import semconv
from servicekit.telemetry import Telemetry, to_metadata


class ChatSpan:
    """`chat {model}`: from the question to the end of the answer, with the time to the first content.

    A reply given up by the caller (barge-in, discarded speculation) is no error: its finish reason reads `cancelled`
    and its status stays unset. A failed one has status ERROR and `error.type`.
    """

    def __init__(self, telemetry: Telemetry, settings: BrainSettings, request: BrainRequest) -> None:
        host, _, port = settings.where.rpartition(":")
        self._span: Span = telemetry.tracer.start_span(
            semconv.chat_span(settings.model),
            context=request.parent,
            kind=SpanKind.CLIENT,
            attributes={
                semconv.GEN_AI_OPERATION_NAME: semconv.GEN_AI_OPERATION_CHAT,
                semconv.GEN_AI_PROVIDER_NAME: settings.preset if settings.preset != "none" else "openai",
                semconv.GEN_AI_REQUEST_MODEL: settings.model,
                semconv.GEN_AI_REQUEST_MAX_TOKENS: settings.max_reply_tokens,
                semconv.GEN_AI_REQUEST_STREAM: True,
                semconv.SERVER_ADDRESS: host,
                semconv.SERVER_PORT: int(port),
                semconv.VOICE_CALL_ID: request.call_id,
                semconv.VOICE_TURN_ID: request.turn_id,
            },
        )
        self._answered = False
        self._ended = False

    def headers(self) -> dict[str, str]:
        """The trace context for the request's headers; empty when nothing is traced."""
        # Without our baggage: a brain may be somebody else's.
        return dict(to_metadata(trace.set_span_in_context(self._span, Context())))

    def __enter__(self) -> ChatSpan:
        return self

    def first_content(self, seconds: float) -> None:
        """The first speakable content came, `seconds` after the question."""
        self._span.set_attribute(semconv.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK, seconds)
        self._span.add_event(semconv.EVENT_LLM_FIRST_CONTENT)

    def finished(self, reason: str, reader: ReplyReader) -> None:
        """The answer is complete."""
        self._answered = True
        self._span.set_attribute(semconv.GEN_AI_RESPONSE_FINISH_REASONS, (reason,))
        if reader.response_model:
            self._span.set_attribute(semconv.GEN_AI_RESPONSE_MODEL, reader.response_model)

    def usage(self, reader: ReplyReader) -> None:
        """The endpoint's token counts, which come last, if at all."""
        if reader.input_tokens is not None:
            self._span.set_attribute(semconv.GEN_AI_USAGE_INPUT_TOKENS, reader.input_tokens)
        if reader.output_tokens is not None:
            self._span.set_attribute(semconv.GEN_AI_USAGE_OUTPUT_TOKENS, reader.output_tokens)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, BrainError):
            self._span.set_attribute(semconv.ERROR_TYPE, error.kind)
            self._span.set_status(StatusCode.ERROR, error.kind)
        elif isinstance(error, Exception):
            self._span.set_attribute(semconv.ERROR_TYPE, type(error).__name__)
            self._span.set_status(StatusCode.ERROR, type(error).__name__)
        elif error is not None and not self._answered:  # GeneratorExit or CancelledError: the caller wants no more.
            self._span.set_attribute(semconv.GEN_AI_RESPONSE_FINISH_REASONS, ("cancelled",))
        self._span.end()
