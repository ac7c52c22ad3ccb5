"""Several decoders with their own partitions, and tasks that receive their shares in any order, make the same rows as
a single decoder.

The test plays Flink's part between them: one element per task and batch, in order from each decoder.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eugenie_cli.flink_job.decode import Decoder, Messages
from eugenie_cli.flink_job.key_groups import tasks
from eugenie_cli.flink_job.sensor_index import SensorIndex
from eugenie_cli.flink_job.shard import Shard
from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.flink_job.watermark import Watermark

from .conftest import build_spec
from .test_decode import BOUND, START, letters, message

Sent = tuple[int, bytes]
"""(partition, payload)."""


class Job:
    """Decoders and tasks. `rows`: (asset, edge) -> its row; `totals`: the number of good and dead readings."""

    def __init__(self, spec: JobSpec) -> None:
        routes = SensorIndex(spec)
        self.spec = spec
        self.decoders = [Decoder(spec) for _ in range(spec.parallelism)]
        self.tasks = tasks(spec.shards, spec.parallelism)
        self.clocks = {task: Watermark.of_decoders(spec.parallelism, spec.idle_timeout_ms) for task in self.tasks}
        self.shards = {number: Shard(routes, number) for number in range(spec.shards)}
        self.rows: dict[tuple[str, int], bytes] = {}
        self.totals: Counter[str] = Counter()

    def batch(self, decoder: int, sent: list[Sent], wall: int) -> None:
        """Decode one batch in one decoder and let the tasks process it."""
        count = len(sent)
        partition = np.array([number for number, _ in sent], np.int64)
        whole = Messages([payload for _, payload in sent], partition, np.arange(count), np.full(count, wall))
        shares = self.decoders[decoder].decode(whole, wall)
        self.totals["dead"] += len(letters(shares))
        for task, share in shares.items():
            for number, part in share.readings.items():
                self.totals["dead"] += len(part[1]) - len(self.shards[number].take(part)[0][1])
            complete = share.complete or 0
            if self.spec.parallelism > 1:
                complete = self.clocks[task].advance({share.decoder: complete}, wall)
            for number in self.tasks[task]:
                self.make(number, complete)

    def make(self, number: int, until: int) -> None:
        for batch in self.shards[number].advance(until):
            for asset, segment, good in zip(batch.assets, batch.rows, batch.readings, strict=True):
                for index, edge in enumerate(batch.edges.tolist()):
                    assert (asset, edge) not in self.rows
                    self.rows[asset, edge] = segment[len(segment) - len(good) + index].tobytes()
                    self.totals["good"] += int(good[index])

    def drain(self) -> None:
        for number in self.shards:
            self.make(number, START + 10**9)


def spec_of(parallelism: int) -> JobSpec:
    return build_spec(assets={f"p{number}": "pump" for number in range(6)}, partitions=4, parallelism=parallelism)


@pytest.mark.slow
@settings(max_examples=40)
@given(data=st.data())
def test_the_rows_are_those_of_a_single_decoder(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    count = data.draw(st.integers(8, 150))
    parallelism = data.draw(st.sampled_from([2, 4]))
    instants = START + np.sort(rng.integers(0, 20_000, count))
    sent = [(int(rng.integers(4)), message(f"p{rng.integers(6)}", "ab"[rng.integers(2)], int(ts))) for ts in instants]

    single = Job(spec_of(1))
    single.batch(0, sent, START + 20_000)
    single.drain()
    assert single.totals == {"good": count, "dead": 0}

    several, wall = Job(spec_of(parallelism)), START + 20_000
    waiting = [[item for item in sent if item[0] % parallelism == decoder] for decoder in range(parallelism)]
    while any(waiting):
        decoder = int(rng.choice([number for number, queue in enumerate(waiting) if queue]))
        size = int(rng.integers(1, 1 + len(waiting[decoder])))
        several.batch(decoder, waiting[decoder][:size], wall)
        del waiting[decoder][:size]
        wall += int(rng.integers(0, 60))
    several.drain()
    assert several.totals == single.totals and several.rows == single.rows


@pytest.mark.slow
@pytest.mark.parametrize("parallelism", [2, 4])
@pytest.mark.parametrize("others", ["silent", "in 2000", "a day behind", "of another site"])
def test_decoders_without_current_readings_hold_up_no_other(parallelism, others):
    job = Job(spec_of(parallelism))
    for second in range(120):
        wall = START + 1_000 * second
        job.batch(0, [(0, message("p0", "a", wall))], wall)
        for decoder in range(1, parallelism):
            ts = {"in 2000": 946_684_800_000 + 1_000 * second, "a day behind": wall - 86_400_000}.get(others, wall)
            asset = "p9" if others == "of another site" else "p1"
            if others != "silent":
                job.batch(decoder, [(decoder, message(asset, "a", ts))], wall)
    edges = [edge for asset, edge in job.rows if asset == "p0"]
    assert len(edges) >= 118 - BOUND // 1_000 and max(edges) >= START + 119_000 - BOUND - 1_000
    job.drain()
    expected = 120 if others in ("silent", "of another site") else 120 * parallelism
    assert job.totals.total() == expected and job.totals["good"] >= 120
