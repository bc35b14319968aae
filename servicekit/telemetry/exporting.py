"""OTLP exporters that say once when the collector is gone and once when it is back, and nothing in between."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

_log = logging.getLogger(__name__)

# They report every attempt, every batch and every full queue; ours report the state.
_NOISY = (
    "opentelemetry.exporter.otlp.proto.grpc.exporter",
    "opentelemetry.sdk._shared_internal",
    "opentelemetry.sdk.metrics._internal.export",
)

_ATTEMPT_S = 2.0
"""How long one batch is tried; it bounds how long the exporter's thread lives on at shutdown."""

_LOOPBACK = ("127.", "localhost:", "[::1]:", "unix:")


def quiet_exporters() -> None:
    """Keep OpenTelemetry's own exporters from logging each failure; `_Deliveries` logs the change."""
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.CRITICAL)


class _Deliveries:
    """Logs the first failure, then nothing until the collector takes a batch again."""

    def __init__(self, what: str, endpoint: str) -> None:
        self._what = what
        self._endpoint = endpoint
        self._lost = 0

    def note(self, delivered: bool) -> None:
        if not delivered:
            self._lost += 1
            if self._lost == 1:
                _log.warning(
                    "The collector at %s takes no %s: they are dropped until it does; calls are not affected. "
                    "Check the collector, or empty telemetry.%s_endpoint.",
                    self._endpoint,
                    self._what,
                    self._what,
                )
        elif self._lost:
            _log.info(
                "The collector at %s takes %s again; %d batches were lost.", self._endpoint, self._what, self._lost
            )
            self._lost = 0


class ReportingSpanExporter(OTLPSpanExporter):
    """Sends spans over OTLP/gRPC and logs when delivery stops or resumes."""

    def __init__(self, endpoint: str, *, insecure: bool) -> None:
        """Send to ``endpoint`` (``host:port``); connecting waits for the first batch."""
        super().__init__(**_connection(endpoint, insecure))
        self._deliveries = _Deliveries("traces", endpoint)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send one batch; called by the processor's own thread, never by the event loop."""
        result = super().export(spans)
        self._deliveries.note(result is SpanExportResult.SUCCESS)
        return result


class ReportingMetricExporter(OTLPMetricExporter):
    """Sends metrics over OTLP/gRPC and logs when delivery stops or resumes."""

    def __init__(self, endpoint: str, *, insecure: bool) -> None:
        """Send to ``endpoint`` (``host:port``); connecting waits for the first export."""
        super().__init__(**_connection(endpoint, insecure))
        self._deliveries = _Deliveries("metrics", endpoint)

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        """Send one export; called by the reader's own thread, never by the event loop."""
        result = super().export(metrics_data, timeout_millis, **kwargs)
        self._deliveries.note(result is MetricExportResult.SUCCESS)
        return result


def _connection(endpoint: str, insecure: bool) -> dict[str, Any]:
    options = (("grpc.enable_http_proxy", 0),) if endpoint.startswith(_LOOPBACK) else ()
    return {"endpoint": endpoint, "insecure": insecure, "timeout": _ATTEMPT_S, "channel_options": options}
