"""What one turn leaves behind: its trace, its timings, its metrics and one line in the log."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import Counter, Histogram
from opentelemetry.trace import Link, Span, StatusCode
from opentelemetry.util.types import AttributeValue

from orchestrator.engine import Outcome, ReportTurn, Speculation
from orchestrator.playout import duration_of
from parley.audio.v1 import audio_pb2
from parley.conversation.v1 import conversation_pb2 as conv
from servicekit import semconv
from servicekit.logs import bind_call, get_logger
from servicekit.telemetry import Telemetry, serving, to_proto

log = get_logger(__name__)

_EVENTS = {
    "stt_final": semconv.EVENT_STT_FINAL,
    "commit": semconv.EVENT_COMMIT,
    "llm_first_content": semconv.EVENT_LLM_FIRST_CONTENT,
    "first_clause": semconv.EVENT_FIRST_CLAUSE,
    "tts_first_audio": semconv.EVENT_TTS_FIRST_AUDIO,
    "first_frame_sent": semconv.EVENT_FIRST_FRAME_SENT,
    "first_frame_heard": semconv.EVENT_FIRST_FRAME_HEARD,
}
# Milestones of a candidate, kept with it until it is known whether it is the one that is spoken.
STAGES = (
    "stt_final",
    "commit",
    "llm_request",
    "llm_first_content",
    "first_clause",
    "tts_first_audio",
    "first_frame_sent",
    "first_frame_heard",
)


class TurnMetrics:
    """The instruments that every turn records on; one set for the process."""

    def __init__(self, telemetry: Telemetry) -> None:
        def histogram(name: str, description: str) -> Histogram:
            return telemetry.meter.create_histogram(
                name, unit="ms", description=description, explicit_bucket_boundaries_advisory=semconv.MS_BUCKETS
            )

        self.response = histogram(semconv.METRIC_RESPONSE_LATENCY, "First frame sent minus caller's end of speech.")
        self.glue = histogram(semconv.METRIC_TURN_GLUE, "Response latency without endpointing, STT, model and TTS.")
        self.endpoint = histogram(semconv.METRIC_ENDPOINT_DELAY, "Commit minus the caller's end of speech.")
        self.barge_in = histogram(semconv.METRIC_BARGE_IN, "Clear sent minus the caller's first speech.")
        self.speculations: Counter = telemetry.meter.create_counter(
            semconv.METRIC_SPECULATIONS, description="Early replies by what became of them."
        )
        self.turns: Counter = telemetry.meter.create_counter(semconv.METRIC_TURNS, description="Turns by outcome.")


@dataclass(slots=True)
class TurnRecord:
    """Follows one turn from its utterance to its outcome. Times are the call's monotonic ms."""

    call_id: str
    turn_id: int
    telemetry: Telemetry
    metrics: TurnMetrics
    span: Span
    context: Context
    """Parent of everything that belongs to the turn."""
    now_ms: float
    """When the record was opened; relates the call's clock to the wall clock, which spans need."""
    wall_ns: int
    eos_ms: float | None = None
    """The caller's last speech, media time."""
    eos_at_ms: float | None = None
    reached: dict[str, float] = field(default_factory=dict)
    candidates: dict[int, dict[str, float]] = field(default_factory=dict)
    spoken_candidate: int = 0
    closed: bool = False
    rule: str = ""
    """Which rule of endpointing committed the turn."""
    filled_at_ms: float | None = None
    """When a filler's first frame was sent; the reply's own is a stage."""

    @classmethod
    def open(
        cls,
        *,
        call_id: str,
        turn_id: int,
        telemetry: Telemetry,
        metrics: TurnMetrics,
        call_context: Context,
        now_ms: float,
        began_at_ms: float,
    ) -> TurnRecord:
        """Open the trace of a turn whose utterance began at ``began_at_ms``, linked to the call's set-up."""
        wall_ns = time.time_ns()
        call_span = trace.get_current_span(call_context).get_span_context()
        span = telemetry.tracer.start_span(
            semconv.SPAN_TURN,
            context=Context(),
            links=[Link(call_span)] if call_span.is_valid else [],
            attributes={semconv.VOICE_CALL_ID: call_id, semconv.VOICE_TURN_ID: turn_id},
            start_time=wall_ns - int((now_ms - began_at_ms) * 1e6),
        )
        context = serving(trace.set_span_in_context(span, Context()), call_id, turn_id)
        return cls(call_id, turn_id, telemetry, metrics, span, context, now_ms, wall_ns)

    @property
    def trace(self) -> audio_pb2.TraceContext:
        """The turn's trace for messages; empty when tracing is off."""
        return to_proto(self.context)

    def at_ns(self, at_ms: float) -> int:
        """A moment of the call on the wall clock."""
        return self.wall_ns + int((at_ms - self.now_ms) * 1e6)

    def event(self, name: str, at_ms: float, **attributes: int | float | str) -> None:
        """Note a milestone that is no stage of the timings."""
        self.span.add_event(name, dict(attributes), timestamp=self.at_ns(at_ms))

    def reach(self, stage: str, at_ms: float, candidate_id: int = 0) -> None:
        """Note the first time that a stage was reached; a candidate's count once that candidate is spoken."""
        if candidate_id and candidate_id != self.spoken_candidate:
            self.candidates.setdefault(candidate_id, {}).setdefault(stage, at_ms)
            return
        if stage in self.reached or self.closed:
            return
        self.reached[stage] = at_ms
        if stage in _EVENTS:
            self.event(_EVENTS[stage], at_ms)
        if stage == "first_frame_sent" and self.eos_at_ms is not None:
            self._child(semconv.SPAN_RESPONSE, self.eos_at_ms, at_ms)
            self.metrics.response.record(max(0.0, at_ms - self.eos_at_ms))

    def filled(self, at_ms: float) -> None:
        """A filler bridges the time until the reply."""
        if self.filled_at_ms is None and not self.closed:
            self.filled_at_ms = at_ms
            self.event(semconv.EVENT_FILLER_SENT, at_ms)

    def heard_text(self, at_ms: float) -> None:
        """The transcript that stands so far was known now; the last one before the commit counts."""
        if "commit" not in self.reached:
            self.reached["stt_final"] = at_ms

    def commit(self, candidate_id: int, at_ms: float, eos_ms: float, eos_at_ms: float) -> None:
        """The turn is the agent's."""
        self.eos_ms, self.eos_at_ms = eos_ms, eos_at_ms
        self.spoken_candidate = candidate_id
        self.event(semconv.EVENT_SPEECH_ENDED, eos_at_ms)
        if "stt_final" in self.reached:
            self.event(semconv.EVENT_STT_FINAL, self.reached["stt_final"])
        for stage, reached_at in self.candidates.pop(candidate_id, {}).items():
            self.reach(stage, reached_at)
        self.reach("commit", at_ms)
        self._child(semconv.SPAN_ENDPOINTING, eos_at_ms, at_ms)
        self.metrics.endpoint.record(max(0.0, at_ms - eos_at_ms))

    def _child(self, name: str, from_ms: float, to_ms: float) -> None:
        attributes: dict[str, AttributeValue] = {
            semconv.VOICE_CALL_ID: self.call_id,
            semconv.VOICE_TURN_ID: self.turn_id,
        }
        span = self.telemetry.tracer.start_span(
            name, context=self.context, attributes=attributes, start_time=self.at_ns(from_ms)
        )
        span.end(end_time=self.at_ns(max(from_ms, to_ms)))

    def timings(self) -> conv.TurnTimings:
        """The stages so far, from the caller's last speech."""
        timings = conv.TurnTimings()
        if self.eos_ms is None or self.eos_at_ms is None:
            return timings
        timings.eos_offset.CopyFrom(duration_of(self.eos_ms))
        for stage in STAGES:
            at_ms = self.reached.get(stage)
            if at_ms is not None and at_ms >= self.eos_at_ms:
                getattr(timings, stage).CopyFrom(duration_of(at_ms - self.eos_at_ms))
        return timings

    def close(self, report: ReportTurn, heard: int, said: int) -> None:
        """The turn has its outcome: end its trace, record it, say so in one line."""
        if self.closed or report.outcome is None:
            return
        self.closed = True
        outcome = report.outcome
        self.span.set_attribute(semconv.VOICE_TURN_OUTCOME, outcome.value)
        self.span.set_attribute(semconv.VOICE_HEARD_CHARACTERS, heard)
        self.span.set_attribute(semconv.VOICE_SAID_CHARACTERS, said)
        if report.joins:
            self.span.set_attribute(semconv.VOICE_TURN_JOINS, report.joins)
        if report.speculation is not Speculation.NONE:
            self.span.set_attribute(semconv.VOICE_SPECULATION, report.speculation.value)
        self._count_speculations(report)
        if self.rule:
            self.span.set_attribute(semconv.VOICE_TURN_ENDPOINT_RULE, self.rule)
        further: dict[str, int | str] = {"endpoint_rule": self.rule} if self.rule else {}
        if self.filled_at_ms is not None and self.eos_at_ms is not None:
            further["filler_ms"] = round(self.filled_at_ms - self.eos_at_ms)
            self.span.set_attribute(semconv.VOICE_FILLER_MS, further["filler_ms"])
        shown = (
            {stage: round(self.reached[stage] - self.eos_at_ms) for stage in STAGES if stage in self.reached}
            if (self.eos_at_ms is not None)
            else {}
        )
        if "first_frame_sent" in shown:
            self.span.set_attribute(semconv.VOICE_RESPONSE_LATENCY_MS, shown["first_frame_sent"])
            self.metrics.glue.record(max(0.0, glue_ms(self.reached)))
        # An interruption is an outcome, not an error.
        if outcome is Outcome.ERROR:
            self.span.set_status(StatusCode.ERROR, "a part of the turn failed")
        self.span.end()
        self.metrics.turns.add(1, {semconv.VOICE_TURN_OUTCOME: outcome.value})
        with bind_call(self.call_id, self.turn_id):
            log.info(
                "turn ended",
                outcome=outcome.value,
                speculation=report.speculation.value,
                speculations_wasted=report.wasted,
                joins=report.joins,
                heard_characters=heard,
                said_characters=said,
                **further,
                **{f"{stage}_ms": value for stage, value in shown.items()},
            )

    def _count_speculations(self, report: ReportTurn) -> None:
        """Each early reply is a request that was paid for: those that were spoken, and those that were not."""
        if report.speculation is Speculation.HIT:
            self.metrics.speculations.add(1, {semconv.VOICE_SPECULATION: semconv.SPECULATION_HIT})
        if report.wasted:
            self.metrics.speculations.add(report.wasted, {semconv.VOICE_SPECULATION: semconv.SPECULATION_MISS})
            self.span.set_attribute(semconv.VOICE_SPECULATIONS_WASTED, report.wasted)


def glue_ms(reached: dict[str, float]) -> float:
    """What of a turn was spent between the parts: commit → request, first content → clause, first sound → first frame.

    The rest is endpointing, speech to text, model and synthesis.
    """

    def between(first: str, second: str) -> float:
        if first not in reached or second not in reached:
            return 0.0
        return max(0.0, reached[second] - reached[first])

    ready = max(reached.get("tts_first_audio", 0.0), reached.get("commit", 0.0))
    return between("commit", "llm_request") + max(0.0, reached.get("first_frame_sent", ready) - ready)
