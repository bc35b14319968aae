"""Traces and metrics over OTLP/gRPC, and trace context across streams.

Off costs next to nothing; a dead or slow collector has no effect on a call. Nothing global is set: whoever makes spans
is handed a `Telemetry`.
"""

from servicekit.settings import TelemetrySettings
from servicekit.telemetry.propagation import from_metadata, from_proto, served_by, serving, to_metadata, to_proto
from servicekit.telemetry.provider import Telemetry

__all__ = [
    "Telemetry",
    "TelemetrySettings",
    "from_metadata",
    "from_proto",
    "served_by",
    "serving",
    "to_metadata",
    "to_proto",
]
