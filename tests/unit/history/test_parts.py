"""How readings are laid out in parts: whatever the batches are, the readings of the history are the same."""

import itertools

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eugenie_cli.history import parquet
from eugenie_cli.history.batch import Batch
from eugenie_cli.history.overlaps import overlaps
from eugenie_cli.history.store import History

SERIES = (("p1", "flow"), ("p1", "level"), ("p2", "flow"))
ROWS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 8), st.sampled_from([1.0, 2.0, -0.0, np.nan])), max_size=40)


def batch(rows) -> Batch:
    index, ts, value = zip(*rows, strict=True) if rows else ((), (), ())
    return Batch(SERIES, np.array(index, np.int32), np.array(ts, np.int64), np.array(value, np.float64))


def batches(rows, cuts) -> list[Batch]:
    bounds = [0, *sorted(cut % (len(rows) + 1) for cut in cuts), len(rows)]
    return [batch(rows[start:stop]) for start, stop in itertools.pairwise(bounds)]


def contents(history):
    return [
        (asset, name, ts, repr(value))
        for asset in ("p1", "p2")
        for read in [history.read(asset)]
        for name, ts, value in sorted(
            zip([read.names[n] for n in read.sensor], read.ts.tolist(), read.value.tolist(), strict=True),
            key=lambda reading: reading[:2],
        )
    ]


def stored(path) -> list[tuple]:
    """Every reading in the parts, repeated ones included."""
    rows = []
    for file in path.rglob("*.parquet"):
        columns = pq.read_table(file).to_pydict()
        rows += zip(*(map(str, columns[name]) for name in ("asset", "sensor", "ts", "value", "quality")), strict=True)
    return sorted(rows)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(rows=ROWS, cuts=st.lists(st.integers(0, 40), max_size=4), ordered=st.booleans(), limit=st.integers(3, 50))
def test_the_readings_do_not_depend_on_how_they_are_divided(tmp_path_factory, rows, cuts, ordered, limit):
    rows = sorted(rows, key=lambda row: row[1]) if ordered else rows
    folder = tmp_path_factory.mktemp("history")
    whole, divided = History(folder / "whole"), History(folder / "divided", run_rows=limit)
    whole.commit("s", [batch(rows)])
    divided.commit("s", batches(rows, cuts))
    assert contents(divided) == contents(whole)
    assert stored(folder / "divided") == stored(folder / "whole")
    assert all(part.rows <= limit for item in divided.sources().get("s", {}).values() for part in item.parts)


def test_parts_of_rows_in_the_order_of_time_share_no_instant(tmp_path):
    history = History(tmp_path, run_rows=10)
    rows = [(n % 3, 1_000 * (n // 3), float(n)) for n in range(60)]
    history.commit("s", batches(rows, [4, 9, 14, 23, 31, 35, 44, 52]))
    assert len(history.sources()["s"][""].parts) > 5
    assert not list(overlaps(history.snapshot()))
    assert sum(len(history.read(asset).ts) for asset in ("p1", "p2")) == 60


@pytest.mark.parametrize("by_time", [True, False])
def test_series_are_sorted_in_each_batch_as_in_the_whole_part(by_time):
    count = 4 * parquet.SHORTEST_RUN * len(SERIES)
    chance = np.random.default_rng(0)
    index = np.tile(np.arange(3, dtype=np.int32), count // 3) if by_time else chance.integers(0, 3, count, np.int32)
    given = Batch(SERIES, index, chance.integers(0, 50, count), np.arange(count, dtype=float))
    found, order = parquet.grouped(given), np.argsort(index, kind="stable")
    assert found is not given
    assert np.array_equal(found.index, index[order])
    assert np.array_equal(found.ts, given.ts[order])
    assert np.array_equal(found.value, given.value[order])


@pytest.mark.parametrize(
    "value, codec",
    [
        (np.random.default_rng(0).normal(20, 1, 100_000), "UNCOMPRESSED"),
        (np.repeat(np.arange(100.0), 1_000), "LZ4"),
        (np.full(100_000, np.nan), "LZ4"),
        (np.random.default_rng(0).normal(20, 1, 1_000), "LZ4"),
    ],
)
def test_values_are_compressed_where_that_saves_half(tmp_path, value, codec):
    count = len(value)
    readings = Batch(SERIES[:1], np.zeros(count, np.int32), np.arange(count, dtype=np.int64), value)
    History(tmp_path).commit("s", [readings])
    [file] = (tmp_path / "parts").rglob("*.parquet")
    column = pq.read_metadata(file).row_group(0).column(3)
    assert (column.path_in_schema, column.compression) == ("value", codec)
    assert np.array_equal(History(tmp_path).read("p1").value, value, equal_nan=True)
