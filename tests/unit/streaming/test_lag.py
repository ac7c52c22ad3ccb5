"""The lag counts from where the job began; a wait for it ends where only markers of transactions are left."""

from __future__ import annotations

import pytest

from eugenie_cli.broker.consume import Record
from eugenie_cli.engines.flink_rest import FlinkRest, Metric
from eugenie_cli.streaming import lag
from eugenie_cli.streaming.lag import behind, read_offsets

SOURCE = "Source__x.KafkaSourceReader.topic.t.partition"


class Reporting(FlinkRest):
    """A cluster whose source reports `metrics`: name -> value."""

    def __init__(self, metrics: dict[str, float]) -> None:
        self._metrics = metrics

    def job(self, job_id: str) -> dict:
        return {"vertices": [{"id": "v"}]}

    def metrics(self, job_id: str, vertex_id: str, selects) -> dict[str, Metric]:
        return {name: Metric(value, value, value) for name, value in self._metrics.items() if selects(name)}


@pytest.mark.parametrize(
    ("metrics", "begun", "read"),
    [
        ({}, {}, {}),
        ({}, {0: 40}, {0: 40}),  # the figures are not there yet
        ({f"{SOURCE}.0.currentOffset": -1, f"{SOURCE}.0.committedOffset": -1}, {0: 40}, {0: 40}),  # nothing read yet
        ({f"{SOURCE}.0.currentOffset": 59}, {0: 40}, {0: 60}),
        ({f"{SOURCE}.0.currentOffset": 59, f"{SOURCE}.0.committedOffset": 55}, {0: 40, 1: 7}, {0: 60, 1: 7}),
        ({f"{SOURCE}.2.committedOffset": 5}, {0: 40}, {0: 40, 2: 5}),  # a partition that was added
    ],
)
def test_a_silent_partition_is_where_the_job_began(metrics, begun, read):
    assert read_offsets(Reporting(metrics), "job", begun) == read


@pytest.mark.parametrize(
    ("ends", "read", "left"),
    [({0: 10}, {}, 10), ({0: 10, 1: 5}, {0: 10, 1: 2}, 3), ({0: 10}, {0: 12}, 0), ({}, {0: 3}, 0)],
)
def test_what_is_left(ends, read, left):
    assert behind(ends, read) == left


@pytest.mark.parametrize(
    ("offsets", "waits"),
    [
        ([], False),  # markers only
        ([100], False),  # a record that arrived meanwhile
        ([99], True),
    ],
)
def test_the_wait_ends_where_only_markers_are_left(site_of, monkeypatch, offsets, waits):
    clock = iter(range(1_000))
    monkeypatch.setattr(lag.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(lag.time, "sleep", lambda _: None)
    monkeypatch.setattr(lag, "end_offsets", lambda *_: {0: 100, 1: 50})
    asked = []

    def stream(*_: object, begin, until_end):
        asked.append(begin)
        return iter([Record("t", 0, offset, 0, None, b"") for offset in offsets])

    monkeypatch.setattr(lag.consume, "stream", stream)
    rest = Reporting({f"{SOURCE}.0.currentOffset": 97, f"{SOURCE}.1.currentOffset": 49})
    assert lag.wait_until_caught_up(site_of().kafka_access, rest, "job", {}) == 2
    assert asked == [{0: 98}] and (next(clock) > lag.STALLED_S) == waits
