"""What the services export is read between two moments of a run."""

from __future__ import annotations

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from toolbox.bench.service_metrics import HistogramState, newest_gauge, newest_histogram


def export(service: str, metric: str, *points: tuple[list[int], float]) -> ResourceMetrics:
    return ResourceMetrics(
        resource=Resource(attributes=[KeyValue(key="service.name", value=AnyValue(string_value=service))]),
        scope_metrics=[
            ScopeMetrics(
                metrics=[
                    Metric(
                        name=metric,
                        histogram=Histogram(
                            data_points=[
                                HistogramDataPoint(explicit_bounds=[1.0, 10.0], bucket_counts=counts, max=largest)
                                for counts, largest in points
                            ]
                        ),
                    )
                ]
            )
        ],
    )


def test_the_newest_export_of_the_right_service_and_metric_counts() -> None:
    exports = [
        export("parley-gateway", "lag", ([1, 0, 0], 0.5)),
        export("parley-gateway", "lag", ([5, 1, 0], 7.0)),
        export("parley-gateway", "other", ([9, 9, 9], 99.0)),
        export("parley-stt", "lag", ([9, 9, 9], 99.0)),
    ]
    assert newest_histogram(exports, "parley-gateway", "lag") == HistogramState((1.0, 10.0), (5, 1, 0), 7.0)


def test_sets_of_attributes_are_added_up() -> None:
    together = newest_histogram([export("s", "lag", ([1, 2, 3], 20.0), ([1, 0, 0], 0.5))], "s", "lag")
    assert together == HistogramState((1.0, 10.0), (2, 2, 3), 20.0)


def test_what_came_before_the_run_is_left_out() -> None:
    before = HistogramState((1.0, 10.0), (100, 0, 0), 0.9)
    after = HistogramState((1.0, 10.0), (100, 4, 0), 9.0)
    assert after.since(before)["n"] == 4
    assert after.since(HistogramState())["n"] == 104


def test_a_service_that_exported_nothing_measured_nothing() -> None:
    assert newest_histogram([], "parley-gateway", "lag").since(HistogramState())["n"] == 0


def gauge(service: str, value: int, **attributes: str) -> ResourceMetrics:
    pairs = [KeyValue(key=key, value=AnyValue(string_value=text)) for key, text in attributes.items()]
    point = NumberDataPoint(as_int=value, attributes=pairs)
    metric = Metric(name="bytes", gauge=Gauge(data_points=[point]))
    return ResourceMetrics(
        resource=Resource(attributes=[KeyValue(key="service.name", value=AnyValue(string_value=service))]),
        scope_metrics=[ScopeMetrics(metrics=[metric])],
    )


def test_the_newest_value_of_a_gauge_is_that_of_its_attributes() -> None:
    exports = [gauge("s", 1, place="memory"), gauge("s", 5, place="memory"), gauge("s", 7, place="disk"), gauge("t", 9)]
    assert newest_gauge(exports, "s", "bytes", {"place": "memory"}) == 5
    assert newest_gauge(exports, "s", "bytes", {"place": "disk"}) == 7
    assert newest_gauge(exports, "s", "bytes", {}) is None
