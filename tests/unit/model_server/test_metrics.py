"""The page for Prometheus: TensorFlow Serving's names, labels and buckets, in the format that Prometheus reads."""

from __future__ import annotations

import math

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from eugenie_cli.model_server import metrics
from eugenie_cli.model_server.metrics import BOUNDS_US, GRPC, LATENCY, REQUESTS, REST, Monitor
from eugenie_cli.model_server.status_error import not_found

HOSTILE = 'a "quoted" \\ name\nof é two lines'


@pytest.fixture
def monitor(monkeypatch: pytest.MonkeyPatch) -> Monitor:
    """Requests of 0.5 ms, one of which is refused and one fails."""
    clock = iter(0.0005 * tick for tick in range(100))
    monkeypatch.setattr(metrics, "perf_counter", lambda: next(clock))
    monitor = Monitor()
    for model, api, entrypoint in (("pump", "Predict", GRPC), ("pump", "Predict", REST), (HOSTILE, "Predict", GRPC)):
        with monitor.request(model, api, entrypoint):
            pass
    for error in (not_found("no such model"), ValueError("a bug")):
        with pytest.raises(type(error)), monitor.request("pump", "Predict", GRPC):
            raise error
    return monitor


def samples(monitor: Monitor) -> list[Sample]:
    return [sample for family in text_string_to_metric_families(monitor.page()) for sample in family.samples]


def test_requests_are_counted_by_model_and_status(monitor: Monitor) -> None:
    # the parser calls a counter ..._total, as OpenMetrics does; the page does not
    counts = {
        tuple(sample.labels.values()): sample.value for sample in samples(monitor) if sample.name == f"{REQUESTS}_total"
    }
    assert counts == {("pump", "OK"): 2, (HOSTILE, "OK"): 1, ("pump", "NOT_FOUND"): 1, ("pump", "INTERNAL"): 1}


def test_latencies_are_counted_in_tensorflow_serving_s_buckets(monitor: Monitor) -> None:
    labels = {"model_name": "pump", "API": "Predict", "entrypoint": GRPC}
    buckets = {
        sample.labels["le"]: sample.value
        for sample in samples(monitor)
        if sample.name == f"{LATENCY}_bucket" and sample.labels.items() >= labels.items()
    }
    assert len(buckets) == len(BOUNDS_US) + 1
    assert list(buckets)[:4] == ["10", "18", "32.4", "58.32"] and list(buckets)[-1] == "+Inf"
    assert {le: count for le, count in buckets.items() if float(le) < 700} == {
        le: 3 if float(le) > 500 else 0 for le in buckets if float(le) < 700
    }
    assert buckets["+Inf"] == 3
    totals = {sample.name: sample.value for sample in samples(monitor) if sample.labels == labels}
    assert totals == {f"{LATENCY}_sum": pytest.approx(1500), f"{LATENCY}_count": 3}


def test_the_lines_are_those_of_tensorflow_serving(monitor: Monitor) -> None:
    lines = monitor.page().splitlines()
    assert {line for line in lines if line.startswith("#")} == {
        "# TYPE :tensorflow:serving:request_count counter",
        "# TYPE :tensorflow:serving:request_latency histogram",
        "# TYPE process_cpu_seconds_total counter",
        "# TYPE process_resident_memory_bytes gauge",
    }
    assert ':tensorflow:serving:request_count{model_name="pump",status="OK"} 2' in lines
    bucket = (
        ':tensorflow:serving:request_latency_bucket{model_name="pump",API="Predict",entrypoint="REST",le="612.22"} 1'
    )
    assert bucket in lines


def test_the_process_is_measured(monitor: Monitor) -> None:
    values = {sample.name: sample.value for sample in samples(monitor)}
    assert values["process_cpu_seconds_total"] > 0 and math.isfinite(values["process_cpu_seconds_total"])
    assert values["process_resident_memory_bytes"] > 2**20
