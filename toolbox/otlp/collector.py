"""Receives traces and metrics over OTLP/gRPC and keeps the newest of them in memory."""

from __future__ import annotations

import base64
import json
from collections import deque
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.metrics.v1.metrics_pb2 import ResourceMetrics
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, TracesData

# Batches kept; a demo call makes a few dozen, an hour's bench a few thousand.
_KEPT = 20_000
_MAX_MESSAGE = 16 * 1024 * 1024


class OtlpCollector(trace_service_pb2_grpc.TraceServiceServicer, metrics_service_pb2_grpc.MetricsServiceServicer):
    """An OTLP/gRPC endpoint, on loopback and a port of the system's choice unless told where.

    ``async with OtlpCollector() as collector: … collector.endpoint``; what came is in ``spans`` and ``metrics``, one
    entry per resource and export, oldest first, bounded.
    """

    def __init__(self, listen: str = "127.0.0.1:0") -> None:
        self._listen = listen
        self.spans: deque[ResourceSpans] = deque(maxlen=_KEPT)
        self.metrics: deque[ResourceMetrics] = deque(maxlen=_KEPT)
        self.endpoint = ""
        self._server: grpc.aio.Server | None = None

    async def __aenter__(self) -> OtlpCollector:
        self._server = grpc.aio.server(
            options=(("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", _MAX_MESSAGE))
        )
        add = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
        add(self, self._server)  # type: ignore[no-untyped-call]
        add = metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server
        add(self, self._server)  # type: ignore[no-untyped-call]
        try:
            port = self._server.add_insecure_port(self._listen)
        except RuntimeError as error:
            raise OSError(f"cannot receive spans on {self._listen}: the port is taken or not this machine's") from error
        await self._server.start()
        self.endpoint = f"{self._listen.rpartition(':')[0]}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            await self._server.stop(1.0)

    async def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - both services name their RPC so
        """Take a batch of either kind."""
        if isinstance(request, trace_service_pb2.ExportTraceServiceRequest):
            self.spans.extend(request.resource_spans)
            return trace_service_pb2.ExportTraceServiceResponse()
        self.metrics.extend(request.resource_metrics)
        return metrics_service_pb2.ExportMetricsServiceResponse()

    def write_traces(self, path: Path) -> None:
        """Write what came as OTLP JSON (``TracesData``), the form that Jaeger's and other tools' imports take."""
        data = json_format.MessageToDict(TracesData(resource_spans=self.spans))
        # OTLP's JSON has its ids in hexadecimal, where protobuf's own mapping has base64.
        for resource in data.get("resourceSpans", ()):
            for scope in resource.get("scopeSpans", ()):
                for span in scope.get("spans", ()):
                    _hexadecimal(span)
                    for link in span.get("links", ()):
                        _hexadecimal(link)
        path.write_text(json.dumps(data, indent=1), encoding="utf-8")


def _hexadecimal(holder: dict[str, Any]) -> None:
    for key in ("traceId", "spanId", "parentSpanId"):
        if key in holder:
            # Through the standard alphabet, as json_format wrote it.
            holder[key] = _base64_to_hex(holder[key])


def _base64_to_hex(text: str) -> str:
    return base64.b64decode(text).hex()
