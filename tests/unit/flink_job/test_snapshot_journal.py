"""A shard that is lost at any moment resumes from its state as if nothing had happened."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eugenie_cli.flink_job.grid import Batch
from eugenie_cli.flink_job.sensor_index import SensorIndex
from eugenie_cli.flink_job.snapshot_journal import JournaledShard
from eugenie_cli.flink_job.spec import JobSpec

from .conftest import build_spec, readings

SENSORS = (("p1", "a"), ("p1", "b"), ("p2", "a"))


class Value:
    """Flink's ValueState, in memory."""

    def __init__(self) -> None:
        self.content = None
        self.writes = 0

    def value(self):
        return None if self.content is None else pickle.loads(self.content)  # noqa: S301

    def update(self, value) -> None:
        self.content = pickle.dumps(value)
        self.writes += 1

    def clear(self) -> None:
        self.content = None


class Pieces:
    """Flink's ListState, in memory."""

    def __init__(self) -> None:
        self.content: list[bytes] = []

    def get(self):
        return (pickle.loads(piece) for piece in self.content)  # noqa: S301

    def add(self, piece) -> None:
        self.content.append(pickle.dumps(piece))

    def update(self, pieces) -> None:
        self.content = [pickle.dumps(piece) for piece in pieces]

    def clear(self) -> None:
        self.content = []


class State:
    """Flink's state of a shard."""

    def __init__(self) -> None:
        self.rows, self.journal, self.names = Value(), Pieces(), Value()

    def shard(self, spec: JobSpec, number: int = 0) -> JournaledShard:
        return JournaledShard(SensorIndex(spec), number, self.rows, self.journal, self.names)


def plain(batch: Batch) -> tuple:
    arrays = (batch.rows, batch.readings, batch.bad_quality)
    return batch.assets, batch.first_edge, *(np.nan_to_num(array, nan=-1.0).tolist() for array in arrays)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_restarts_change_no_row(data) -> None:
    spec = build_spec(shards=1)
    routes = SensorIndex(spec)
    steady, state = State().shard(spec), State()
    restarted = state.shard(spec)
    clock = 0
    for _ in range(data.draw(st.integers(1, 25), "portions")):
        drawn = data.draw(
            st.lists(st.tuples(st.sampled_from(SENSORS), st.integers(0, 4_000), st.floats(-9, 9)), max_size=6),
            "readings",
        )
        portion = readings(routes, *((asset, sensor, clock + ahead, value) for (asset, sensor), ahead, value in drawn))
        clock += data.draw(st.integers(0, 3_000), "time")
        assert steady.take(portion) == restarted.take(portion)
        if data.draw(st.booleans(), "complete"):
            assert [plain(batch) for batch in steady.advance(clock)] == [
                plain(batch) for batch in restarted.advance(clock)
            ]
        if data.draw(st.booleans(), "lost"):
            restarted = state.shard(spec)
        assert steady.next_edge() == restarted.next_edge()


def test_a_snapshot_is_written_when_the_journal_has_grown_as_large() -> None:
    spec = build_spec(shards=1)
    routes, state = SensorIndex(spec), State()
    shard = state.shard(spec)
    for second in range(1, 41):  # windows of 2 assets x 3 rows x 2 sensors: as large as two readings
        shard.take(readings(routes, ("p1", "a", second * 1_000, 1.0)))
        assert len(shard.advance(second * 1_000)) == 1
        assert len(state.journal.content) == second % 2 * 2
    assert state.rows.writes == 20


def test_another_site_file_finds_its_sensors_again() -> None:
    state = State()
    before = build_spec(shards=1)
    shard = state.shard(before)
    shard.take(readings(SensorIndex(before), ("p1", "a", 900, 1.0)))
    shard.take(readings(SensorIndex(before), ("p2", "b", 1_700, 8.0)))

    after = build_spec(shards=1, assets={"p3": "pump", "p2": "pump"})
    state.shard(after)
    again = state.shard(after)  # from the state that the first one wrote
    (batch,) = again.advance(2_000)
    assert (batch.assets, batch.rows[0, -1, 1]) == (("p2",), 8.0)
