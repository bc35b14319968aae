"""W3C Trace Context in and out: in metadata of short RPCs, inside messages of a stream that outlives its spans."""

from __future__ import annotations

from collections.abc import Iterable

from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from parley.audio.v1 import audio_pb2

_PROPAGATOR = TraceContextTextMapPropagator()
_KEYS = ("traceparent", "tracestate")


def to_proto(context: Context | None = None) -> audio_pb2.TraceContext:
    """The span of ``context`` (default: the current one) for a message; empty when there is none."""
    carrier = _injected(context)
    return audio_pb2.TraceContext(traceparent=carrier.get("traceparent", ""), tracestate=carrier.get("tracestate", ""))


def from_proto(trace: audio_pb2.TraceContext) -> Context:
    """The context a message carried; empty, and not the current one, when it carried none or an unreadable one."""
    if not trace.traceparent:
        return Context()
    return _PROPAGATOR.extract({"traceparent": trace.traceparent, "tracestate": trace.tracestate}, Context())


def to_metadata(context: Context | None = None) -> tuple[tuple[str, str], ...]:
    """The span of ``context`` (default: the current one) as gRPC metadata; empty when there is none."""
    return tuple(_injected(context).items())


def from_metadata(metadata: Iterable[tuple[str, str | bytes]] | None) -> Context:
    """The context that gRPC metadata carried; empty, and not the current one, when it carried none."""
    carrier = {key: value for key, value in metadata or () if key in _KEYS and isinstance(value, str)}
    if "traceparent" not in carrier:
        return Context()
    return _PROPAGATOR.extract(carrier, Context())


def _injected(context: Context | None) -> dict[str, str]:
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, context)
    return carrier
