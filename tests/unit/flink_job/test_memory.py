"""What 20,000 tags cost in memory while the clock of one asset is dead, and what bounds it."""

from __future__ import annotations

import json
import pickle
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from support.job_specs import build_spec, class_spec

from eugenie_cli.flink_job import task_rows
from eugenie_cli.flink_job.asset_clocks import FIRST_HOLD_MS
from eugenie_cli.flink_job.sensor_index import SensorIndex
from eugenie_cli.flink_job.share import Readings
from eugenie_cli.flink_job.task_rows import TaskRows

ASSETS, SENSORS, SECONDS = 1_000, 20, 50
START = 1_767_225_600_000
NAMES = tuple(f"s{number}" for number in range(SENSORS))
WAITING_S = 4
"""Readings of so many seconds wait for their rows: the out-of-orderness, and a second each to the next reading and to
the edge."""

Clock = Callable[[int], int]
"""Second -> the dead clock's instant (ms)."""

DEAD: dict[str, Clock] = {
    "right": lambda second: START + 1_000 * second,
    "standing still": lambda second: START,
    "leaping between two instants": lambda second: START + 50_000 * (second % 2),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DEAD)
def test_readings_that_wait_are_bounded(name, tell):
    klass = class_spec(sensors=NAMES, units=("",) * SENSORS, low=(None,) * SENSORS, high=(None,) * SENSORS, window=120)
    spec = build_spec(classes=(klass,), assets={f"p{number}": "pump" for number in range(ASSETS)}, shards=8)
    routes = SensorIndex(spec)
    tracemalloc.start()
    task = TaskRows(routes, tuple(range(8)))
    empty, _ = tracemalloc.get_traced_memory()
    order = np.argsort(routes.shard, kind="stable")
    is_dead = (routes.owner == routes.owner[routes.place_of("p0", NAMES[0], None)])[order]
    most = letters = 0
    for second in range(SECONDS):
        now = START + 1_000 * second
        ts = np.where(is_dead, DEAD[name](second), now)
        arrival, nought = np.full(len(ts), now), np.zeros(len(ts), np.int64)
        sent = Readings(order, ts, np.ones(len(ts)), arrival, nought, nought)
        letters += len(task.take(sent, 1_000.0 * second)[1])
        most = max(most, sum(len(task.pending(shard)[0]) for shard in range(8)))
        task.complete(1_000.0 * second)
        for _ in task.segments():
            pass
    current, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    state = sum(len(pickle.dumps((task.state(shard), task.pending(shard)))) for shard in range(8))
    memory = [f"{size / 2**20:.0f} MiB" for size in (empty, current, peak, state)]
    tell(
        f"20,000 tags, the clock of an asset {name}: at most {most:,} readings waited; {memory[0]} of windows,"
        f" {memory[1]} after {SECONDS} s, {memory[2]} at most; {memory[3]} of state"
    )
    dead = SENSORS * (FIRST_HOLD_MS // 1_000 + WAITING_S)
    assert most <= ASSETS * SENSORS * WAITING_S + dead


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1_000, 100_000])
def test_a_partition_that_is_read_far_ahead_fills_no_memory(monkeypatch, limit):
    """One sensor of p1 is in a partition that is read at once, the other in a long one. Beyond the limit, rows wait no
    longer, and what comes for them is late; the rows of the asset beside it stay as they are."""
    monkeypatch.setattr(task_rows, "MOST_PENDING", limit)
    routes = SensorIndex(build_spec(shards=1))
    task = TaskRows(routes, (0,))
    most = late = made = 0
    edges: list[int] = []
    for second in range(0, 5_000, 10):
        sent = [("p1", "a", second * 10 + tenth, 0) for tenth in range(100)] if second < 500 else []
        sent += [("p1", "b", second + one, 1) for one in range(10)]
        sent += [("p2", "a", second + one, 1) for one in range(10)]
        columns = np.array([(routes.place_of(a, s, None), START + 1_000 * t, p) for a, s, t, p in sent]).T
        nought = np.zeros(len(sent), np.int64)
        part = Readings(columns[0], columns[1], np.ones(len(sent)), columns[1], columns[2], nought)
        late += sum(json.loads(letter).get("count", 1) for _, letter in task.take(part, 10.0 * second)[1])
        task.complete(10.0 * second)
        for batch in task.segments():
            made += int(batch.readings.sum())
            edges += [edge for name, row in zip(batch.assets, batch.edges, strict=True) for edge in row if name == "p2"]
        most = max(most, len(task.pending(0)[0]))
    task.finish()
    made += sum(int(batch.readings.sum()) for batch in task.segments())
    assert made + late == 5_000 + 5_000 + 5_000
    assert most <= limit + 120 and (late > 0) == (limit == 1_000)
    assert edges == sorted(edges) and len(edges) >= 4_990
