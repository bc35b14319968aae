"""An OTLP/gRPC collector that keeps what it receives."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc


class FakeCollector(trace_service_pb2_grpc.TraceServiceServicer, metrics_service_pb2_grpc.MetricsServiceServicer):
    """Keeps span names, resources and metric names; `silent` makes it accept requests and never answer them."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.span_names: list[str] = []
        self.metric_names: set[str] = set()
        self.resource: dict[str, str] = {}
        self.silent = False
        self.hang_up = threading.Event()

    def wait_for_span(self, name: str, timeout_s: float = 20.0) -> bool:
        """Wait until a span of that name has come; the timeout guards against a hang only."""
        with self.changed:
            return self.changed.wait_for(lambda: name in self.span_names, timeout_s)

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the contract's name
        if self.silent:
            self.hang_up.wait(30)
        with self.changed:
            if isinstance(request, metrics_service_pb2.ExportMetricsServiceRequest):
                for resource in request.resource_metrics:
                    self.metric_names |= {metric.name for scope in resource.scope_metrics for metric in scope.metrics}
                self.changed.notify_all()
                return metrics_service_pb2.ExportMetricsServiceResponse()
            for resource in request.resource_spans:
                self.resource |= {item.key: item.value.string_value for item in resource.resource.attributes}
                self.span_names += [span.name for scope in resource.scope_spans for span in scope.spans]
            self.changed.notify_all()
        return trace_service_pb2.ExportTraceServiceResponse()


@contextmanager
def collecting(address: str = "127.0.0.1:0") -> Iterator[tuple[FakeCollector, str]]:
    """Run a collector at ``address``; yields it and the address it got."""
    collector = FakeCollector()
    server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port(address)
    server.start()
    try:
        yield collector, f"127.0.0.1:{port}"
    finally:
        collector.hang_up.set()
        server.stop(0).wait()
