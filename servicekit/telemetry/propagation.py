"""W3C Trace Context in and out: in metadata of short RPCs, inside messages of a stream that outlives its spans.

Which call and turn an RPC serves travels beside it as W3C Baggage, so that a recogniser's spans and log lines name the
call although its contract knows none. Only those two entries pass, in either direction, and only when well-formed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from parley.audio.v1 import audio_pb2
from servicekit import semconv

_BAGGAGE = W3CBaggagePropagator()
_CALL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TURN_ID = re.compile(r"[0-9]{1,19}")
_PROPAGATOR = TraceContextTextMapPropagator()
_KEYS = ("traceparent", "tracestate", "baggage")


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
    """The span of ``context`` (default: the current one), its call and its turn, as gRPC metadata; may be empty."""
    carrier = _injected(context)
    served = served_by(context)
    if served:
        _BAGGAGE.inject(carrier, _with_baggage(Context(), served))
    return tuple(carrier.items())


def serving(context: Context, call_id: str, turn_id: int = 0) -> Context:
    """``context`` as one that serves a call and, unless 0, a turn of it."""
    served = {semconv.VOICE_CALL_ID: call_id} | ({semconv.VOICE_TURN_ID: str(turn_id)} if turn_id else {})
    return _with_baggage(context, served)


def served_by(context: Context | None = None) -> dict[str, str]:
    """Which call and turn ``context`` (default: the current one) serves, by attribute name; often empty."""
    entries = baggage.get_all(context)
    return {
        name: value
        for name, form in ((semconv.VOICE_CALL_ID, _CALL_ID), (semconv.VOICE_TURN_ID, _TURN_ID))
        if isinstance(value := entries.get(name), str) and form.fullmatch(value)
    }


def _with_baggage(context: Context, entries: dict[str, str]) -> Context:
    for name, value in entries.items():
        context = baggage.set_baggage(name, value, context)
    return context


def from_metadata(metadata: Iterable[tuple[str, str | bytes]] | None) -> Context:
    """The context that gRPC metadata carried; empty, and not the current one, when it carried none."""
    carrier = {key: value for key, value in metadata or () if key in _KEYS and isinstance(value, str)}
    context = _PROPAGATOR.extract(carrier, Context()) if "traceparent" in carrier else Context()
    if "baggage" not in carrier:
        return context
    return _with_baggage(context, served_by(_BAGGAGE.extract(carrier, Context())))


def _injected(context: Context | None) -> dict[str, str]:
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, context)
    return carrier
