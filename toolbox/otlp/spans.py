"""Spans as a reader thinks of them: by trace, with their parents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans


@dataclass(frozen=True)
class Span:
    """One span; times in nanoseconds since the epoch, ids in hexadecimal."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    start_ns: int
    end_ns: int
    status: str
    attributes: dict[str, Any]
    events: tuple[tuple[str, int, dict[str, Any]], ...]
    links: tuple[str, ...]

    @property
    def milliseconds(self) -> float:
        """How long it took."""
        return (self.end_ns - self.start_ns) / 1e6


@dataclass
class Trace:
    """All spans of one trace."""

    trace_id: str
    spans: list[Span] = field(default_factory=list)

    @property
    def root(self) -> Span | None:
        """The span without a parent in this trace, when there is exactly one."""
        known = {span.span_id for span in self.spans}
        roots = [span for span in self.spans if span.parent_id not in known]
        return roots[0] if len(roots) == 1 else None

    @property
    def services(self) -> set[str]:
        """Names of the services that took part."""
        return {span.service for span in self.spans}

    def named(self, name: str) -> list[Span]:
        """Spans of a name, by start."""
        return sorted((span for span in self.spans if span.name == name), key=lambda span: span.start_ns)

    def edges(self) -> set[tuple[str, str]]:
        """(parent, child) as ``service:name`` for every span whose parent is in the trace."""
        by_id = {span.span_id: span for span in self.spans}
        return {
            (f"{parent.service}:{parent.name}", f"{span.service}:{span.name}")
            for span in self.spans
            if (parent := by_id.get(span.parent_id)) is not None
        }


def spans_of(resources: Iterable[ResourceSpans]) -> list[Span]:
    """Flatten what a collector received."""
    return [
        _span(str(_attributes(resource.resource.attributes).get("service.name", "")), span)
        for resource in resources
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _span(service: str, span: trace_pb2.Span) -> Span:
    return Span(
        service=service,
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        status=trace_pb2.Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_"),
        attributes=_attributes(span.attributes),
        events=tuple((event.name, event.time_unix_nano, _attributes(event.attributes)) for event in span.events),
        links=tuple(link.trace_id.hex() for link in span.links),
    )


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def traces_of(resources: Iterable[ResourceSpans]) -> list[Trace]:
    """Group spans by trace, oldest trace first."""
    traces: dict[str, Trace] = {}
    for span in sorted(spans_of(resources), key=lambda span: span.start_ns):
        traces.setdefault(span.trace_id, Trace(span.trace_id)).spans.append(span)
    return list(traces.values())


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None
