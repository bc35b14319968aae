"""A small OTLP/gRPC collector: what the demo, the benches and the tests read the services' telemetry with."""

from toolbox.otlp.collector import OtlpCollector
from toolbox.otlp.spans import Span, Trace, spans_of, traces_of

__all__ = ["OtlpCollector", "Span", "Trace", "spans_of", "traces_of"]
