"""Local times that occur twice: the order of the rows shows which of the two is meant, or they are rejected."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.record_tables import BERLIN, ROUTER, block_of, read, texts

from eugenie_cli.site.readings_mapping import ReadingsMapping
from eugenie_cli.sources.records.reader import RecordReader

CHANGE = int(datetime(2026, 10, 25, 1, tzinfo=timezone.utc).timestamp() * 1000)  # 03:00 CEST becomes 02:00 CET
HOUR, MINUTE = 3_600_000, 60_000
WIDE = {"shape": "wide", "ts": {"path": "ts", "ambiguous": "order"}}


def local(instant: int, zone: str = BERLIN) -> str:
    aware = datetime.fromtimestamp(instant / 1000, timezone.utc).astimezone(ZoneInfo(zone))
    return aware.strftime("%Y-%m-%d %H:%M:%S.%f")


def read_at(instants: list[int], ambiguous: str = "order") -> list[int | None]:
    """The instants that rows with these ones are read at, in local time; None if they are rejected."""
    columns = texts([[local(instant), str(row)] for row, instant in enumerate(instants)], ["ts", "FT-1"])
    rows, _, _ = read(columns, {**WIDE, "ts": {"path": "ts", "ambiguous": ambiguous}})
    found = {int(value or 0): ts for *_, ts, value in rows}
    return [found.get(row) for row in range(len(instants))]


def every(step: int, start: int, end: int) -> list[int]:
    return list(range(CHANGE + start, CHANGE + end, step))


@pytest.mark.parametrize(
    "instants",
    [
        every(10_000, -2 * HOUR, 2 * HOUR),
        every(10_000, -2 * HOUR, -20 * MINUTE),  # ends in the first pass
        every(10_000, 20 * MINUTE, 2 * HOUR),  # begins in the second
        every(10_000, -HOUR // 2, HOUR // 2),  # begins and ends in the doubled hour
        every(30 * MINUTE, -3 * HOUR, 3 * HOUR),
        every(HOUR, -3 * HOUR, 3 * HOUR),
        every(15 * MINUTE, -40 * MINUTE, 30 * MINUTE),
    ],
)
def test_rows_in_order_are_read_at_their_instants(instants):
    assert read_at(instants) == instants
    assert read_at(instants[::-1]) == instants[::-1]


@pytest.mark.parametrize(
    "instants",
    [
        [CHANGE - 70 * MINUTE, CHANGE - 40 * MINUTE, CHANGE + 90 * MINUTE],  # sparse: either is possible
        [CHANGE - 40 * MINUTE],
        every(10_000, -50 * MINUTE, -10 * MINUTE),  # a file of one pass alone
        every(10_000, 10 * MINUTE, 50 * MINUTE),
        [*every(10_000, -2 * HOUR, -30 * MINUTE), *every(10_000, 30 * MINUTE, 2 * HOUR)],  # an hour is missing
    ],
)
def test_rows_whose_order_does_not_show_it_are_rejected(instants):
    doubled = [CHANGE - HOUR <= instant < CHANGE + HOUR for instant in instants]
    assert read_at(instants) == [None if twice else at for twice, at in zip(doubled, instants, strict=True)]


def test_a_clock_that_goes_back_twice_is_rejected():
    walls = ["01:59:00", "02:10:00", "02:05:00", "02:20:00", "02:01:00", "03:00:00"]
    columns = texts([[f"2026-10-25 {wall}", "1"] for wall in walls], ["ts", "FT-1"])
    rows, refusals, reader = read(columns, WIDE)
    assert len(rows) == 2 and refusals[0][:2] == ("bad-timestamp", [1, 2, 3, 4])
    detail = reader.explain(block_of(columns), 1, None)
    assert "occurs twice in Europe/Berlin, and the order of the rows does not show which is meant" in detail


def test_each_sensor_has_an_order_of_its_own():
    """A file with one sensor after the other goes back in time, but no sensor does."""
    instants = every(MINUTE, -90 * MINUTE, 90 * MINUTE)
    rows = [[local(instant), tag, str(instant)] for tag in ("FT-1", "7") for instant in instants]
    mapping = {"ts": {"path": "ts", "ambiguous": "order"}, "tag": {"path": "tag"}, "value": {"path": "v"}}
    found, refusals, _ = read(texts(rows, ["ts", "tag", "v"]), mapping)
    assert refusals == []
    assert len(found) == 2 * len(instants) and all(ts == value for *_, ts, value in found)


@pytest.mark.parametrize(("ambiguous", "expected"), [("first", 0), ("second", HOUR), ("reject", None)])
def test_a_fixed_choice(ambiguous, expected):
    instant = CHANGE - 30 * MINUTE
    assert read_at([instant], ambiguous) == [None if expected is None else instant + expected]
    typed = {"ts": pa.array([datetime(2026, 10, 25, 2, 30)], pa.timestamp("us")), "FT-1": pa.array([1.0])}
    rows, _, _ = read(typed, {**WIDE, "ts": {"path": "ts", "ambiguous": ambiguous}})
    assert [ts for *_, ts, _ in rows] == ([] if expected is None else [instant + expected])
    missing = texts([["2026-03-29 02:30:00", "1"]], ["ts", "FT-1"])
    assert read(missing, {**WIDE, "ts": {"path": "ts", "ambiguous": ambiguous}})[0] == []  # never occurs


GAPS = st.lists(st.integers(1, 9 * MINUTE), min_size=30, max_size=60)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(GAPS, st.integers(-3 * HOUR, HOUR), st.booleans(), st.lists(st.integers(0, 60), max_size=3))
def test_no_row_is_read_at_another_instant(gaps, start, descending, cuts):
    """Whatever part of the clock change a file covers, and wherever its blocks end."""
    instants = [CHANGE + start + sum(gaps[:count]) for count in range(len(gaps))]
    assume(instants[-1] > CHANGE - 2 * HOUR)
    if descending:
        instants.reverse()
    mapping = ReadingsMapping(**WIDE).model_dump(mode="json")
    reader = RecordReader(mapping, BERLIN, ROUTER, ["ts", "FT-1"])
    found: list[tuple[int, float]] = []
    edges = [0, *sorted(min(cut, len(instants)) for cut in cuts), len(instants)]
    for begin, end in itertools.pairwise(edges):
        rows = [[local(instant), str(instant)] for instant in instants[begin:end]]
        batch, _ = reader.read(block_of(texts(rows, ["ts", "FT-1"])))
        found += zip(batch.ts.tolist(), batch.value.tolist(), strict=True)
    assert all(ts == value for ts, value in found)
    once = [instant for instant in instants if not CHANGE - HOUR <= instant < CHANGE + HOUR]
    assert set(once) <= {ts for ts, _ in found}
    if not cuts and instants[0] < CHANGE - HOUR and instants[-1] >= CHANGE + HOUR:
        assert len(found) == len(instants)


def test_half_an_hour_that_occurs_twice():
    """Lord Howe Island sets its clocks back by half an hour."""
    change = int(datetime(2026, 4, 4, 15, tzinfo=timezone.utc).timestamp() * 1000)
    instants = list(range(change - 2 * HOUR, change + 2 * HOUR, 5 * MINUTE))
    zone = "Australia/Lord_Howe"
    columns = texts([[local(instant, zone), str(instant)] for instant in instants], ["ts", "FT-1"])
    rows, refusals, _ = read(columns, WIDE, zone)
    assert refusals == [] and all(ts == value for *_, ts, value in rows) and len(rows) == len(instants)


def test_gaps_are_compared_in_time_not_in_rows():
    walls = [timedelta(hours=1, minutes=59), timedelta(hours=2), timedelta(hours=2), timedelta(hours=3)]
    columns = texts([[str(datetime(2026, 10, 25) + wall), "1"] for wall in walls], ["ts", "FT-1"])
    rows, refusals, _ = read(columns, WIDE)  # a repeated row, or the beginning of both passes
    assert len(rows) == 2 and [records for _, records, _ in refusals] == [[1, 2]]


@settings(max_examples=25, deadline=None)
@given(step=st.sampled_from([1, 5]), order=st.randoms(use_true_random=False))
def test_rows_in_no_order_are_not_read_at_another_instant(step, order):
    instants = every(step * MINUTE, -3 * HOUR, 3 * HOUR)
    order.shuffle(instants)
    assert all(found in (None, instant) for found, instant in zip(read_at(instants), instants, strict=True))


def test_exports_one_after_the_other_are_in_order():
    instants = [*every(10 * MINUTE, -5 * HOUR, -3 * HOUR), *every(10 * MINUTE, -4 * HOUR, 3 * HOUR)]
    assert read_at(instants) == instants
