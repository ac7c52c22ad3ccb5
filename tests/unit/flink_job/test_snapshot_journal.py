"""A shard that is lost at any moment resumes from its state as if nothing had happened."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eugenie_cli.flink_job.grid import Batch
from eugenie_cli.flink_job.sensor_index import SensorIndex
from eugenie_cli.flink_job.share import Readings
from eugenie_cli.flink_job.snapshot_journal import ShardState
from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.flink_job.task_rows import TaskRows

from .conftest import build_spec, class_spec, readings, rows_until

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
        self.rows, self.journal, self.names, self.resets = Value(), Pieces(), Value(), Value()

    @property
    def all(self):
        return self.rows, self.journal, self.names, self.resets

    def shard(self, spec: JobSpec, number: int = 0) -> KeptShard:
        routes = SensorIndex(spec)
        rows = TaskRows(routes, (number,))
        return KeptShard(rows, ShardState(routes, rows, number, self.all))


class KeptShard:
    """A task of one shard and its state, used as the operator uses them."""

    def __init__(self, rows: TaskRows, state: ShardState) -> None:
        self.rows, self.state, self.orphans, self.reset_assets = rows, state, state.orphans, state.reset_assets

    def take(self, readings: Readings, now: float) -> list[tuple[str, bytes]]:
        taken, letters = self.rows.take(readings, now)
        if len(taken[0]):
            self.state.take(taken)
        return letters


def plain(batch: Batch) -> tuple:
    arrays = (batch.rows, batch.readings, batch.bad_quality)
    return batch.assets, batch.first_edge.tolist(), *(np.nan_to_num(array, nan=-1.0).tolist() for array in arrays)


def batches_of(shard: KeptShard, now: float, has_ended: bool = False) -> list[Batch]:
    """The rows that are due, as the operator makes them."""
    if has_ended:
        shard.rows.finish()
    else:
        shard.rows.complete(now)
    due = shard.rows.due()
    if not len(due[0]):
        return []
    batches = list(shard.rows.segments())
    shard.state.made(due)
    return batches


def made(shard: KeptShard, now: float, has_ended: bool = False) -> list[tuple]:
    return [plain(batch) for batch in batches_of(shard, now, has_ended)]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_restarts_change_no_row(data) -> None:
    """Readings are less out of order than is allowed: what is learnt beyond that is in snapshots only."""
    spec = build_spec(shards=1, out_of_orderness_ms=5_000)
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
        assert steady.take(portion, 0.0) == restarted.take(portion, 0.0)
        if data.draw(st.booleans(), "complete"):
            assert made(steady, 0.0) == made(restarted, 0.0)
        if data.draw(st.booleans(), "lost"):
            restarted = state.shard(spec)
        assert steady.rows.is_waiting() == restarted.rows.is_waiting()
    assert made(steady, 0.0, has_ended=True) == made(restarted, 0.0, has_ended=True)
    restarted = state.shard(spec)
    assert made(restarted, 0.0, has_ended=True) == [] and not restarted.rows.is_waiting()


def test_a_snapshot_is_written_when_the_journal_has_grown_as_large() -> None:
    spec = build_spec(shards=1, classes=(class_spec(window=40),))
    routes, state = SensorIndex(spec), State()
    shard, written = state.shard(spec), []
    for second in range(1, 41):  # windows of 2 assets x 39 rows x 2 sensors: as large as 26 entries of the journal
        shard.take(readings(routes, ("p1", "a", second * 1_000, 1.0)), 0.0)
        assert len(made(shard, 0.0)) == (second > 3)
        if state.rows.writes > len(written):
            written.append(second)
    # a reading and a row made each second, and three readings that wait for their row at each snapshot
    assert np.diff(written).tolist() == [12, 12] and len(state.journal.content) < 2 * 12


def test_another_site_file_finds_its_sensors_again() -> None:
    state = State()
    before = build_spec(shards=1)
    shard = state.shard(before)
    shard.take(readings(SensorIndex(before), ("p1", "a", 900, 1.0)), 0.0)
    shard.take(readings(SensorIndex(before), ("p2", "b", 1_700, 8.0)), 0.0)

    after = build_spec(shards=1, assets={"p3": "pump", "p2": "pump"})
    state.shard(after)
    again = state.shard(after)  # from the state that the first one wrote
    (batch,) = rows_until(again.rows, 2_000)
    assert (batch.assets, batch.rows[0, -1, 1]) == (("p2",), 8.0)


@pytest.mark.parametrize(
    "sensors", [("a", "b"), ("b", "a"), ("b", "c"), ("a",), ("c", "b", "a")], ids=lambda names: "".join(names)
)
def test_rows_are_not_made_again_when_the_sensors_of_a_class_change(sensors) -> None:
    """The journal names assets by one of their sensors, whichever remains."""
    state = State()
    before = build_spec(shards=1, classes=(class_spec(window=40),))
    shard, routes = state.shard(before), SensorIndex(before)
    for second in range(1, 8):
        shard.take(readings(routes, ("p1", "a", second * 1_000, 1.0), ("p1", "b", second * 1_000, 1.0)), 0.0)
        made(shard, 0.0)
    assert state.rows.writes == 0  # everything is in the journal

    count, units = len(sensors), ("",) * len(sensors)
    changed = class_spec(window=40, sensors=sensors, units=units, low=(None,) * count, high=(None,) * count)
    later = state.shard(build_spec(shards=1, classes=(changed,)))
    edges = [edge for _, first, rows, *_ in made(later, 0.0, has_ended=True) for edge in first]
    assert edges and min(edges) >= 5_000  # the rows up to 4 s had been made


def test_the_journal_of_an_earlier_release_is_replayed() -> None:
    """It has the instant up to which the rows of all assets were made."""
    spec, state = build_spec(shards=1), State()
    routes = SensorIndex(spec)
    state.shard(spec)
    for second in (1, 2, 3):
        state.journal.add(readings(routes, ("p1", "a", second * 1_000, 1.0), ("p2", "a", second * 1_000, 2.0)).columns)
        state.journal.add(second * 1_000 - 1_000)
    shard = state.shard(spec)
    assert [(assets, first) for assets, first, *_ in made(shard, 0.0, has_ended=True)] == [
        (("p1", "p2"), [3_000, 3_000])
    ]


@pytest.mark.parametrize("release", ["this", "earlier"])
def test_the_shards_of_a_task_are_restored_independently(release) -> None:
    """Their rows had been made up to different instants."""
    spec = build_spec(shards=2, assets={f"p{number}": "pump" for number in range(6)})
    routes, states = SensorIndex(spec), {0: State(), 1: State()}
    assets = {shard: routes.classes[0].assets[shard] for shard in states}
    for shard, state in states.items():
        state.shard(spec, shard)
        for second in (1, 2, 3, 4):
            sent = readings(routes, *((asset, "a", second * 1_000, 1.0) for asset in assets[shard]))
            state.journal.add(sent.columns)
        made_until = 1_000 + 2_000 * shard
        places = np.array([routes.place_of(asset, "b", None) for asset in assets[shard]])
        state.journal.add(made_until if release == "earlier" else (places, np.full(len(places), made_until)))
    for order in ((0, 1), (1, 0)):
        rows = TaskRows(routes, (0, 1))
        for shard in order:
            ShardState(routes, rows, shard, states[shard].all)
        rows.finish()
        first = {
            asset: edge
            for batch in reversed(list(rows.segments()))
            for asset, edge in zip(batch.assets, batch.first_edge.tolist(), strict=True)
        }
        assert first == {asset: 2_000 + 2_000 * shard for shard in states for asset in assets[shard]}


def test_a_task_without_shards_has_no_rows() -> None:
    rows = TaskRows(SensorIndex(build_spec()), ())
    rows.finish()
    assert list(rows.segments()) == [] and not rows.is_waiting()
