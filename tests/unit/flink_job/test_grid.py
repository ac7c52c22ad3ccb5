"""Rows of the stream: the same as in history's grid, in any order and batching of the readings."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eugenie_cli.flink_job.grid import SIZES, Batch, ClassRows
from eugenie_cli.history.batch import AssetReadings
from eugenie_cli.history.grid import align

from .conftest import class_spec

ASSETS = ("p1", "p2")
SENSORS = ("a", "b")
WINDOW = 4

readings = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(0, 1),
        st.integers(0, 40_000),
        st.one_of(st.just(math.nan), st.floats(-5, 5, width=32)),
    ),
    min_size=1,
    max_size=80,
)


def rows_of(batches: list[Batch]) -> dict[str, dict[int, np.ndarray]]:
    """asset -> edge -> its row."""
    rows: dict[str, dict[int, np.ndarray]] = {asset: {} for asset in ASSETS}
    for batch in batches:
        steps = batch.readings.shape[1]
        for place, asset in enumerate(batch.assets):
            for edge, row in zip(batch.edges[place].tolist(), batch.rows[place, -steps:], strict=True):
                rows[asset][edge] = row
    return rows


def columns(items: list[tuple[int, int, int, float]]) -> tuple[np.ndarray, ...]:
    return (
        np.array([asset for asset, _, _, _ in items], np.int32),
        np.array([sensor for _, sensor, _, _ in items], np.int32),
        np.array([ts for _, _, ts, _ in items], np.int64),
        np.array([value for _, _, _, value in items], np.float64),
    )


def advance(rows: ClassRows, until: int | list[int]) -> list[Batch]:
    """Make all rows up to `until`: of all assets, or of each."""
    ends = np.broadcast_to(np.array(until, np.int64), len(rows.assets))
    batches: list[Batch] = []
    while rows.plan(ends):
        delayed = np.zeros(len(rows.assets), np.int64)
        for size in SIZES:
            batches += rows.segments(size, delayed)
            if size == SIZES[0]:
                batches += rows.even_segments(delayed)
    assert not rows.due(ends).any()
    return batches


@pytest.mark.parametrize(
    ("due", "calls"),
    [
        ([25] * 20, [(20, 25)]),  # a backlog: one call, where sizes of powers of two would take three
        ([256] * 3, [(2, 256), (1, 256)]),
        ([300] * 3, [(2, 256), (1, 256), (3, 44)]),
        ([25] * 19 + [24], [(19, 25), (1, 16), (1, 8)]),
        ([3] * 5, [(5, 2), (5, 1)]),  # too few to be worth it
        ([1] * 100, [(100, 1)]),
    ],
)
def test_assets_that_are_equally_far_behind_share_calls(due, calls):
    rows = ClassRows(class_spec(window=WINDOW), tuple(f"a{number}" for number in range(len(due))))
    instants = [(asset, 1_000 * second) for asset, count in enumerate(due) for second in range(1, count + 1)]
    rows.add(*columns([(asset, sensor, ts, 1.0) for asset, ts in instants for sensor in range(2)]))
    batches = advance(rows, [1_000 * count for count in due])
    assert [(len(batch.assets), batch.edges.shape[1]) for batch in batches] == calls


def kept_of(rows: ClassRows) -> tuple:
    return pickle.loads(pickle.dumps((rows.state(rows.with_readings()), rows.pending())))  # noqa: S301


def stream(items: list, shuffle: np.random.Generator, restart_at: int | None = None) -> list[Batch]:
    """Feed the readings step by step, each step in any order, as the decoder would; drain at the end."""
    rows = ClassRows(class_spec(window=WINDOW), ASSETS)
    batches: list[Batch] = []
    by_edge: dict[int, list] = {}
    for item in items:
        by_edge.setdefault(-(-item[2] // 1_000) * 1_000, []).append(item)
    for count, edge in enumerate(sorted(by_edge)):
        piece = by_edge[edge]
        order = shuffle.permutation(len(piece))
        rows.add(*columns([piece[index] for index in order]))
        if shuffle.random() < 0.7:  # otherwise several steps are made at once, and assets are at different ones
            batches += advance(rows, shuffle.choice([edge, edge - 5_000], len(ASSETS)).tolist())
        if count == restart_at:
            kept, waiting = kept_of(rows)
            rows = ClassRows(class_spec(window=WINDOW), ASSETS)
            rows.restore(kept)
            rows.add(*waiting)
    return batches + advance(rows, 10_000_000)


@pytest.mark.slow
@given(readings, st.integers(0, 2**32 - 1), st.one_of(st.none(), st.integers(0, 20)))
@settings(max_examples=150)
def test_rows_equal_those_of_history(items, seed, restart_at):
    rows_by_asset = rows_of(stream(items, np.random.default_rng(seed), restart_at))
    for index, asset in enumerate(ASSETS):
        own = [item for item in items if item[0] == index]
        _, sensor, ts, value = columns(own)
        if not own:
            assert not rows_by_asset[asset]
            continue
        grid = align(AssetReadings(asset, SENSORS, sensor, ts, value), sensors=SENSORS, step_ms=1_000, max_gap_ms=3_000)
        for edge, row in zip(grid.edges.tolist(), grid.rows, strict=True):
            np.testing.assert_array_equal(rows_by_asset[asset].pop(edge, np.full(2, np.nan, np.float32)), row)
        for row in rows_by_asset[asset].values():  # a row that history lacks is empty
            assert np.isnan(row).all()


@pytest.mark.slow
@given(readings, st.integers(0, 2**32 - 1))
@settings(max_examples=80)
def test_every_reading_is_counted_once(items, seed):
    batches = stream(items, np.random.default_rng(seed))
    good = sum(int(batch.readings.sum()) for batch in batches)
    bad = sum(int(batch.bad_quality.sum()) for batch in batches)
    assert good == sum(1 for item in items if item[3] == item[3])
    assert good + bad == len(items)


@pytest.mark.slow
@given(readings, st.integers(0, 2**32 - 1))
@settings(max_examples=80)
def test_a_segment_starts_with_the_rows_before_it(items, seed):
    batches = stream(items, np.random.default_rng(seed))
    rows_by_asset = rows_of(batches)
    for batch in batches:
        lead = batch.rows[:, : WINDOW - 1]
        for place, asset in enumerate(batch.assets):
            for back in range(1, WINDOW):
                edge = int(batch.first_edge[place]) - back * 1_000
                expected = rows_by_asset[asset].get(edge, np.full(2, np.nan, np.float32))
                np.testing.assert_array_equal(lead[place, -back], expected)


def test_a_value_outside_the_limits_is_bad_quality():
    rows = ClassRows(class_spec(low=(0.0, None), high=(10.0, None)), ASSETS)
    rows.add(*columns([(0, 0, 900, -1.0), (0, 1, 900, -1.0)]))
    (batch,) = advance(rows, 1_000)
    assert np.isnan(batch.rows[0, -1, 0])
    assert (batch.readings.tolist(), batch.bad_quality.tolist()) == ([[1]], [[1]])


def test_a_backlog_is_made_in_long_segments_that_assets_share():
    rows = ClassRows(class_spec(), ASSETS)
    rows.add(*columns([(asset, 0, 1_000 * step, 1.0) for asset in (0, 1) for step in range(1, 1_001 - asset)]))
    sizes = [(batch.assets, batch.readings.shape[1]) for batch in advance(rows, [1_000_000, 997_000])]
    assert sizes == [*[(ASSETS, 256)] * 3, (("p2",), 229), (("p1",), 232)]


def test_a_day_of_silence_makes_no_rows():
    rows = ClassRows(class_spec(), ASSETS)
    rows.add(*columns([(0, 0, 1_000, 1.0), (0, 0, 86_400_000, 2.0)]))
    batches = advance(rows, 86_400_000)
    assert sum(batch.readings.shape[1] for batch in batches) == 5  # the row, three that carry it, the row after
    assert np.isnan(batches[-1].rows[0, :-1]).all()


def test_readings_after_a_silence_continue_where_the_rows_are():
    """A gateway that was offline sends what it stored: nothing is late, although the clock has moved on."""
    rows = ClassRows(class_spec(), ASSETS)
    rows.add(*columns([(0, 0, 1_000, 1.0)]))
    assert sum(batch.readings.shape[1] for batch in advance(rows, 7_200_000)) == 4
    rows.add(*columns([(0, 0, 5_000, 2.0), (0, 0, 6_000, 3.0)]))
    (batch,) = advance(rows, 6_000)
    assert batch.rows[0, :, 0].tolist() == [1.0, 1.0, 1.0, 2.0, 3.0] and batch.first_edge.tolist() == [5_000]


def test_conflicting_readings_of_one_instant_are_counted():
    rows = ClassRows(class_spec(), ASSETS)
    same = [(0, 0, 900, value) for value in (1.0, 2.0, 2.0, math.nan)]
    rows.add(*columns([*same, (0, 1, 900, 1.0), (0, 0, 950, 7.0), (1, 0, 900, 5.0)]))
    batches = advance(rows, 1_000)
    assert batches[0].rows[0, -1].tolist() == [7.0, 1.0] and rows.conflicts == 1


def test_the_state_of_an_earlier_release_is_taken_over():
    """It has one edge for all assets."""
    rows = ClassRows(class_spec(), ASSETS)
    rows.add(*columns([(0, 0, 1_000, 1.0), (1, 0, 1_000, 2.0)]))
    advance(rows, 1_000)
    kept, _ = kept_of(rows)
    del kept["edges"]
    later = ClassRows(class_spec(), ("p2", "p3"))
    positions, own = later.restore({**kept, "edge": 1_000})
    assert (positions.tolist(), own.tolist(), later.edge.tolist()[0]) == ([1], [0], 1_000)
    (batch,) = advance(later, 2_000)
    assert batch.assets == ("p2",) and batch.rows[0, -1, 0] == 2.0


def test_twice_the_assets_need_the_same_number_of_predict_calls(tell):
    def calls_and_windows(count: int) -> tuple[int, int]:
        rows = ClassRows(class_spec(), tuple(f"p{index}" for index in range(count)))
        batches: list[Batch] = []
        for edge in range(1_000, 21_000, 1_000):
            rows.add(*columns([(asset, 0, edge, 1.0) for asset in range(count)]))
            batches += advance(rows, edge)
        return len(batches), sum(batch.readings.size for batch in batches)

    ten, twenty = calls_and_windows(10), calls_and_windows(20)
    tell(f"20 steps: 10 assets {ten[0]} Predict calls, {ten[1]} windows; 20 assets {twenty[0]}, {twenty[1]}")
    assert (ten, twenty) == ((20, 200), (20, 400))
