"""The grid against a simple, slow reference implementation of the rules in docs/design.md."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.history_sites import pump_site

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import AssetReadings, Batch
from eugenie_cli.history.grid import Grid, align, load_grid
from eugenie_cli.history.store import History
from eugenie_cli.readings.limits import Limits

NAN = math.nan
NAMES = ("x", "y")


def readings(rows: list[tuple[str, int, float]]) -> AssetReadings:
    """Readings from (sensor, ts, value), in the given order."""
    names = tuple(dict.fromkeys(name for name, _, _ in rows))
    return AssetReadings(
        "a",
        names,
        np.array([names.index(name) for name, _, _ in rows], np.int32),
        np.array([ts for _, ts, _ in rows], np.int64),
        np.array([value for _, _, value in rows], np.float64),
    )


def reference(rows, step, max_gap, low, high) -> dict[int, list[float]]:
    """edge -> row, for existing rows; one edge, one sensor, one reading at a time."""
    judged = [(name, ts, value if low <= value <= high else NAN) for name, ts, value in rows]
    edges = range(0, 60 * 1000, step)
    grid = {}
    for edge in edges:
        row, exists = [], False
        for sensor in NAMES:
            reachable = [
                (ts, not math.isnan(value), value)
                for name, ts, value in judged
                if name == sensor and ts <= edge and edge - ts <= max_gap
            ]
            exists = exists or bool(reachable)
            last = max((ts for ts, _, _ in reachable), default=None)
            good = [value for ts, is_good, value in reachable if ts == last and is_good]
            row.append(np.float32(max(good)) if good else NAN)
        if exists:
            grid[edge] = row
    return grid


def as_dict(grid: Grid) -> dict[int, list[float]]:
    return {int(edge): list(row) for edge, row in zip(grid.edges, grid.rows, strict=True)}


some_readings = st.lists(
    st.tuples(
        st.sampled_from([*NAMES, "unknown"]),
        st.one_of(st.integers(0, 40_000), st.integers(0, 40).map(lambda second: second * 1000)),
        st.one_of(st.just(NAN), st.sampled_from([-5.0, -0.0, 0.0, 1.0, 2.5, 99.0])),
    ),
    max_size=40,
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(some_readings, st.sampled_from([500, 1000, 3000]), st.sampled_from([1, 400, 1000, 5000]), st.randoms())
def test_grid_equals_the_reference_in_any_order_of_arrival(rows, step, max_gap, rng: random.Random):
    expected = reference(rows, step, max_gap, -1.0, 50.0)
    rng.shuffle(rows)
    limits = Limits([-1.0, -1.0], [50.0, 50.0])
    grid = align(readings(rows), sensors=NAMES, step_ms=step, max_gap_ms=max_gap, limits=limits)

    if expected:
        first, last = min(expected), max(expected)
        assert grid.edges.tolist() == list(range(first, last + step, step))
    else:
        assert len(grid.edges) == 0
    for edge, row in as_dict(grid).items():
        np.testing.assert_array_equal(row, expected.get(edge, [NAN, NAN]), err_msg=f"edge {edge}")


def row_at(grid: Grid, edge: int) -> list[float]:
    return as_dict(grid)[edge]


def aligned(rows, step=1000, max_gap=5000) -> Grid:
    return align(readings(rows), sensors=NAMES, step_ms=step, max_gap_ms=max_gap)


def test_a_reading_on_an_edge_belongs_to_that_edge():
    assert aligned([("x", 2000, 1.0)]).edges[0] == 2000
    assert aligned([("x", 2001, 1.0)]).edges[0] == 3000


def test_values_are_carried_for_exactly_max_gap():
    grid = aligned([("x", 1000, 1.0)], max_gap=2000)
    assert as_dict(grid) == {1000: pytest.approx([1.0, NAN], nan_ok=True)} | {
        2000: pytest.approx([1.0, NAN], nan_ok=True),
        3000: pytest.approx([1.0, NAN], nan_ok=True),
    }
    assert aligned([("x", 999, 1.0)], max_gap=2000).edges.tolist() == [1000, 2000]


def test_a_bad_reading_hides_the_good_one_before_it():
    grid = aligned([("x", 1000, 1.0), ("x", 1500, NAN), ("y", 1000, 7.0)])
    np.testing.assert_array_equal(row_at(grid, 2000), [NAN, 7.0])


def test_at_equal_instants_the_good_reading_wins_then_the_larger():
    grid = aligned([("x", 1000, 2.0), ("x", 1000, NAN), ("x", 1000, 1.0)])
    assert row_at(grid, 1000)[0] == 2.0


def test_rows_are_missing_during_a_silence_but_edges_continue():
    grid = aligned([("x", 0, 1.0), ("x", 10_000, 2.0)], max_gap=2000)
    assert grid.edges.tolist() == list(range(0, 13_000, 1000))
    assert np.isnan(grid.rows[3:10]).all()


def test_a_step_longer_than_max_gap_leaves_readings_without_an_edge():
    assert len(aligned([("x", 1, 1.0)], step=10_000, max_gap=1000).edges) == 0


def test_a_stray_reading_is_refused_instead_of_exhausting_the_memory():
    with pytest.raises(EugenieError, match=r"1970-01-01T00:00:00\.000Z to 2026"):
        aligned([("x", 0, 1.0), ("x", 1_767_420_000_000, 1.0)])


def test_the_grid_of_a_period_equals_that_period_of_the_whole_grid(tmp_path):
    rng = np.random.default_rng(0)
    count = 500
    rows = [
        ("p1", ("flow", "pressure")[k % 2], int(ts), float(value))
        for k, (ts, value) in enumerate(zip(rng.integers(0, 300_000, count), rng.normal(8, 5, count), strict=True))
    ]
    site, history = pump_site(tmp_path), History(tmp_path / "history")
    history.commit("s", [Batch.of(rows)])
    whole = load_grid(site.fleet("pump"), history, "p1")
    assert whole.rows.shape[1] == 3
    part = load_grid(site.fleet("pump"), history, "p1", 100_000, 200_500)
    inside = (whole.edges >= 100_000) & (whole.edges < 200_500)
    np.testing.assert_array_equal(part.edges, whole.edges[inside])
    np.testing.assert_array_equal(part.rows, whole.rows[inside])
    assert np.nanmin(whole.rows[:, 1]) >= 0  # the limits of the class
    assert np.nanmax(whole.rows[:, 1]) <= 16
    assert len(load_grid(site.fleet("pump"), history, "p2").edges) == 0
    with pytest.raises(EugenieError, match="no asset p3"):
        load_grid(site.fleet("pump"), history, "p3")


def test_at_equal_instants_a_possible_value_in_history_wins_over_an_impossible_one(tmp_path):
    site, history = pump_site(tmp_path), History(tmp_path)
    rows = [("p1", "pressure", 0, 99.0), ("p1", "pressure", 0, 5.0), ("p1", "flow", 0, 99.0), ("p1", "flow", 0, 5.0)]
    history.commit("s", [Batch.of(rows)])
    assert load_grid(site.fleet("pump"), history, "p1").rows[0].tolist()[:2] == [99.0, 5.0]  # only pressure has limits
    assert load_grid(site.fleet("pump"), history, "p1", 10_000, 20_000).rows.shape == (0, 3)


def without_long_gaps(edges: np.ndarray, rows: list[tuple[str, int, float]], step: int, max_gap: int, gap_rows: int):
    """The edges that remain, one by one: those that a reading reaches or that are its first, and the ends of gaps."""
    reached = {
        edge
        for name, ts, _ in rows
        if name in NAMES
        for edge in range(-(-ts // step) * step, max(-(-ts // step) * step, ts + max_gap) + 1, step)
    }
    kept, gap = [], []
    for edge in [*edges.tolist(), None]:
        if edge is not None and edge not in reached:
            gap.append(edge)
            continue
        kept += gap if len(gap) <= gap_rows + 1 else [gap[0], *gap[len(gap) - gap_rows :]]
        kept, gap = [*kept, *([] if edge is None else [edge])], []
    return kept


distant_readings = st.lists(
    st.tuples(st.sampled_from([*NAMES, "unknown"]), st.integers(0, 60_000), st.sampled_from([NAN, 0.0, 1.0])),
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(
    distant_readings,
    st.sampled_from([500, 1000, 3000]),
    st.sampled_from([1, 400, 1000, 2500, 5000]),
    st.sampled_from([0, 1, 3, 10]),
)
def test_a_grid_with_long_gaps_cut_out_has_the_rows_of_the_whole(rows, step, max_gap, gap_rows) -> None:
    whole = align(readings(rows), sensors=NAMES, step_ms=step, max_gap_ms=max_gap)
    short = align(readings(rows), sensors=NAMES, step_ms=step, max_gap_ms=max_gap, gap_rows=gap_rows)
    assert short.edges.tolist() == without_long_gaps(whole.edges, rows, step, max_gap, gap_rows)
    np.testing.assert_array_equal(short.rows, whole.rows[np.isin(whole.edges, short.edges)])
    assert np.isnan(whole.rows[~np.isin(whole.edges, short.edges)]).all()


def test_a_stray_reading_costs_a_gap_and_not_the_memory() -> None:
    rows = [("x", 0, 1.0), ("x", 40 * 365 * 86_400_000, 2.0)]
    grid = align(readings(rows), sensors=NAMES, step_ms=1000, max_gap_ms=2000, gap_rows=5)
    assert len(grid.edges) == 3 + 1 + 5 + 3
