"""Tracer and meter of one process, and their bounded end."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from opentelemetry.context import Context
from opentelemetry.metrics import Meter, NoOpMeter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace import NoOpTracer, Tracer

from servicekit import semconv, version
from servicekit.settings import TelemetrySettings
from servicekit.telemetry.exporting import ReportingMetricExporter, ReportingSpanExporter, quiet_exporters
from servicekit.telemetry.propagation import served_by

_SCOPE = "parley"
_QUEUE_SPANS = 4096  # about 10 MB at worst; what does not fit is dropped, oldest first
_BATCH_SPANS = 256
_BATCH_EVERY_MS = 1000.0
_FLUSH_S = 2.5  # of the three seconds that shutdown may take; the rest is for the exporter to notice
_ABANDON_S = 0.5


@dataclass(frozen=True)
class Telemetry:
    """What a service makes spans and metrics with; inert where the settings name no collector."""

    service: str
    """``service.name`` of the resource, such as ``parley-stt``."""
    tracer: Tracer = field(default_factory=NoOpTracer)
    meter: Meter = field(default_factory=lambda: NoOpMeter(_SCOPE))
    enabled: bool = False
    """Whether spans are recorded."""
    metrics_enabled: bool = False
    """Whether metrics are recorded."""
    _stops: tuple[_Stop, ...] = ()

    @classmethod
    def start(cls, service: str, settings: TelemetrySettings | None = None) -> Telemetry:
        """Begin to record what ``settings`` ask for. Connects in the background and never fails for want of a peer."""
        settings = settings or TelemetrySettings()
        resource = _resource(service, settings)
        tracer: Tracer = NoOpTracer()
        meter: Meter = NoOpMeter(_SCOPE)
        stops: list[_Stop] = []
        if settings.traces_endpoint or settings.metrics_endpoint:
            quiet_exporters()
        if settings.traces_endpoint:
            spans = ReportingSpanExporter(settings.traces_endpoint, insecure=settings.insecure)
            traces = _tracer_provider(resource)
            traces.add_span_processor(
                BatchSpanProcessor(
                    spans,
                    max_queue_size=_QUEUE_SPANS,
                    schedule_delay_millis=_BATCH_EVERY_MS,
                    max_export_batch_size=_BATCH_SPANS,
                )
            )
            tracer = traces.get_tracer(_SCOPE, version())
            stops.append(_Stop(flush=traces.shutdown, abandon=spans.shutdown))
        if settings.metrics_endpoint:
            metrics = ReportingMetricExporter(settings.metrics_endpoint, insecure=settings.insecure)
            reader = PeriodicExportingMetricReader(
                metrics, export_interval_millis=settings.metrics_interval_s * 1000.0, export_timeout_millis=2000
            )
            meters = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
            meter = meters.get_meter(_SCOPE, version())
            stops.append(_Stop(flush=meters.shutdown, abandon=metrics.shutdown))
        return cls(
            service,
            tracer,
            meter,
            enabled=bool(settings.traces_endpoint),
            metrics_enabled=bool(settings.metrics_endpoint),
            _stops=tuple(stops),
        )

    @classmethod
    def recording(
        cls, service: str, exporter: SpanExporter | None = None, reader: MetricReader | None = None
    ) -> Telemetry:
        """Record into this process, for tests and tools: spans reach ``exporter`` as they end, metrics ``reader``."""
        resource = _resource(service, TelemetrySettings())
        tracer: Tracer = NoOpTracer()
        meter: Meter = NoOpMeter(_SCOPE)
        if exporter is not None:
            traces = _tracer_provider(resource)
            traces.add_span_processor(SimpleSpanProcessor(exporter))
            tracer = traces.get_tracer(_SCOPE, version())
        if reader is not None:
            meter = MeterProvider([reader], resource=resource, shutdown_on_exit=False).get_meter(_SCOPE, version())
        return cls(service, tracer, meter, enabled=exporter is not None, metrics_enabled=reader is not None)

    def shutdown(self) -> None:
        """Send what is left, for at most three seconds however many collectors are dead. Blocks; call off the loop."""
        flushes = [threading.Thread(target=stop.flush, name="telemetry-flush", daemon=True) for stop in self._stops]
        for flush in flushes:
            flush.start()
        _join_all(flushes, _FLUSH_S)
        for stop, flush in zip(self._stops, flushes, strict=True):
            if flush.is_alive():
                stop.abandon()
        _join_all(flushes, _ABANDON_S)


@dataclass(frozen=True)
class _Stop:
    """How one signal ends: politely, or at once."""

    flush: Callable[[], None]
    abandon: Callable[[], None]


def _join_all(threads: list[threading.Thread], seconds: float) -> None:
    done = threading.Event()
    timer = threading.Timer(seconds, done.set)
    timer.daemon = True
    timer.start()
    for thread in threads:
        while thread.is_alive() and not done.is_set():
            thread.join(0.02)
    timer.cancel()


def _tracer_provider(resource: Resource) -> TracerProvider:
    # The default exit hook would wait half a minute for a dead collector.
    provider = TracerProvider(resource=resource, sampler=ParentBased(ALWAYS_ON), shutdown_on_exit=False)
    provider.add_span_processor(_NamesTheCall())
    return provider


class _NamesTheCall(SpanProcessor):
    """Writes on every span which call and turn it serves, where its context knows."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        served = served_by(parent_context)
        if call_id := served.get(semconv.VOICE_CALL_ID):
            span.set_attribute(semconv.VOICE_CALL_ID, call_id)
        if turn_id := served.get(semconv.VOICE_TURN_ID):
            span.set_attribute(semconv.VOICE_TURN_ID, int(turn_id))


def _resource(service: str, settings: TelemetrySettings) -> Resource:
    instance = settings.service_instance or f"{socket.gethostname()}-{os.getpid()}"
    # Through create() for OTEL_RESOURCE_ATTRIBUTES, which Kubernetes manifests use.
    return Resource.create({"service.name": service, "service.instance.id": instance, "service.version": version()})
