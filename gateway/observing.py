"""The gateway's spans and metrics. No name, number or word of anybody's ever gets here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.trace import Span, set_span_in_context

from gateway.playout import FirstSent, Heard, PlaybackReport, PlayoutCounts, PlayoutNews
from parley.audio.v1 import audio_pb2
from parley.conversation.v1 import conversation_pb2 as conv
from servicekit import semconv
from servicekit.telemetry import Telemetry, from_proto, to_proto

_ROOT = Context()
_REASON = "reason"


class GatewayMetrics:
    """Counters of everything that was refused, dropped or found amiss, and the calls that are live."""

    def __init__(self, telemetry: Telemetry, *, live_calls: Callable[[], int]) -> None:
        """`live_calls` is asked whenever metrics are collected."""

        def observe(_options: CallbackOptions) -> list[Observation]:
            return [Observation(live_calls())]

        meter = telemetry.meter
        meter.create_observable_gauge(semconv.METRIC_CALLS_LIVE, callbacks=[observe])
        self._refused = meter.create_counter(semconv.METRIC_CALLS_REFUSED)
        self._rejected = meter.create_counter(semconv.METRIC_MESSAGES_REJECTED)
        self._dropped = meter.create_counter(semconv.METRIC_FRAMES_DROPPED)

    def call_refused(self, reason: str) -> None:
        """A call was not taken; `reason` is one of few words."""
        self._refused.add(1, {_REASON: reason})

    def messages_rejected(self, counts: object) -> None:
        """What was amiss on a socket: a dataclass of counts, each under its own name."""
        for each in fields(counts):  # type: ignore[arg-type]
            if amount := getattr(counts, each.name):
                self._rejected.add(amount, {_REASON: each.name})

    def frames_dropped(self, amount: int, reason: str) -> None:
        """Sound that was thrown away though nobody asked for it."""
        if amount:
            self._dropped.add(amount, {_REASON: reason})

    def playout_counts(self, counts: PlayoutCounts) -> None:
        """What was amiss in a call's playouts."""
        self.messages_rejected(counts)


def setup_span(telemetry: Telemetry, call_id: str) -> Span:
    """The short span from the webhook until the conversation is ready: turns link to it."""
    return telemetry.tracer.start_span(
        semconv.SPAN_CALL_SETUP,
        context=_ROOT,
        attributes={semconv.VOICE_CALL_ID: call_id, semconv.VOICE_CALL_TRANSPORT: "twilio"},
    )


def trace_of(span: Span) -> audio_pb2.TraceContext:
    """The span as the contracts carry it."""
    return to_proto(set_span_in_context(span, _ROOT))


@dataclass(slots=True)
class _Playback:
    parent: Context
    kind: str
    span: Span | None = None
    marks: int = 0


class PlaybackSpans:
    """One span for each playout, from its first frame until its last mark or its clear."""

    def __init__(self, telemetry: Telemetry, call_id: str) -> None:
        self._telemetry = telemetry
        self._call_id = call_id
        self._open: dict[int, _Playback] = {}

    def announce(self, playout: conv.Playout) -> None:
        """A playout begins; its message names the span's parent."""
        if self._telemetry.enabled:
            kind = conv.PlayoutKind.Name(playout.kind) if playout.kind in conv.PlayoutKind.values() else "unknown"
            kind = kind.removeprefix("PLAYOUT_KIND_").lower()
            self._open[playout.playout_id] = _Playback(from_proto(playout.trace), kind)

    def tell(self, news: PlayoutNews) -> None:
        """Something happened to a playout."""
        if not self._open:
            return
        playback = self._open.get(news.playout_id)
        if playback is None:
            return
        if isinstance(news, FirstSent):
            playback.span = self._telemetry.tracer.start_span(
                semconv.SPAN_PLAYBACK,
                context=playback.parent,
                attributes={
                    semconv.VOICE_CALL_ID: self._call_id,
                    semconv.VOICE_PLAYOUT_ID: news.playout_id,
                    semconv.VOICE_PLAYOUT_KIND: playback.kind,
                },
            )
            playback.span.add_event(semconv.EVENT_FIRST_FRAME_SENT)
        else:
            self._report(playback, news)

    def close(self) -> None:
        """The call is over: so are its playouts."""
        for playback in self._open.values():
            if playback.span is not None:
                playback.span.set_attribute(semconv.VOICE_MARK, playback.marks)
                playback.span.set_attribute(semconv.VOICE_TURN_OUTCOME, semconv.OUTCOME_ABANDONED)
                playback.span.end()
        self._open.clear()

    def _report(self, playback: _Playback, report: PlaybackReport) -> None:
        span = playback.span
        if report.heard is Heard.PLAYED:
            playback.marks += 1
            if span is not None and playback.marks == 1:
                span.add_event(semconv.EVENT_FIRST_FRAME_HEARD)
        if not report.last:
            return
        del self._open[report.playout_id]
        if span is None:
            return
        if report.heard is Heard.CLEARED:
            span.add_event(semconv.EVENT_CLEARED)
        span.add_event(semconv.EVENT_MARK_ACKED, {"count": playback.marks})
        span.set_attribute(semconv.VOICE_MARK, playback.marks)
        span.set_attribute(semconv.VOICE_AUDIO_MS, round(report.position_s * 1000))
        completed = report.heard is Heard.PLAYED
        outcome = semconv.OUTCOME_COMPLETED if completed else semconv.OUTCOME_INTERRUPTED
        span.set_attribute(semconv.VOICE_TURN_OUTCOME, outcome)
        span.end()
