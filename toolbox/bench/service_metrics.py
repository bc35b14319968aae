"""Histograms and gauges that the services themselves export over OTLP, between two moments of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint, ResourceMetrics

from toolbox.bench.distribution import Distribution, distribution_of_buckets


@dataclass(frozen=True)
class HistogramState:
    """A cumulative histogram at one moment."""

    bounds: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    largest: float | None = None

    def since(self, before: HistogramState) -> Distribution:
        """What came between an earlier state and this one. The largest is that of the process's whole life."""
        earlier = before.counts if before.bounds == self.bounds else (0,) * len(self.counts)
        counts = [now - then for now, then in zip(self.counts, earlier, strict=True)]
        return distribution_of_buckets(self.bounds, counts, self.largest)


def newest_histogram(exports: Iterable[ResourceMetrics], service: str, metric: str) -> HistogramState:
    """The last state of a metric that a service exported, all its attribute sets together; empty when there is none.

    Args:
        exports: As a collector received them, oldest first.
        service: The service's name in telemetry, such as ``parley-gateway``.
        metric: The metric's name.
    """
    newest = HistogramState()
    for export in exports:
        if not _of(export, service):
            continue
        for scope in export.scope_metrics:
            for one in scope.metrics:
                if one.name == metric and one.WhichOneof("data") == "histogram":
                    newest = _together(one.histogram.data_points)
    return newest


def _together(points: Iterable[HistogramDataPoint]) -> HistogramState:
    bounds: tuple[float, ...] = ()
    counts: list[int] = []
    largest: float | None = None
    for point in points:
        if not bounds:
            bounds, counts = tuple(point.explicit_bounds), [0] * len(point.bucket_counts)
        if tuple(point.explicit_bounds) != bounds:
            continue
        counts = [total + count for total, count in zip(counts, point.bucket_counts, strict=True)]
        if point.HasField("max"):
            largest = point.max if largest is None else max(largest, point.max)
    return HistogramState(bounds, tuple(counts), largest)


def newest_gauge(
    exports: Iterable[ResourceMetrics], service: str, metric: str, attributes: Mapping[str, str]
) -> int | float | None:
    """The last value of a gauge that a service exported for these attributes; None when there is none."""
    newest: int | float | None = None
    for export in exports:
        if not _of(export, service):
            continue
        for scope in export.scope_metrics:
            for one in scope.metrics:
                if one.name != metric:
                    continue
                for point in one.gauge.data_points:
                    if {pair.key: pair.value.string_value for pair in point.attributes} == attributes:
                        newest = point.as_int if point.WhichOneof("value") == "as_int" else point.as_double
    return newest


def _of(export: ResourceMetrics, service: str) -> bool:
    return any(pair.key == "service.name" and pair.value.string_value == service for pair in export.resource.attributes)
