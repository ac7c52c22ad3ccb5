"""Typed Arrow columns give the readings and rejections that the mapping's rules give for each record."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.record_tables import BERLIN, assert_alike, block_of, read

from eugenie_cli.errors import EugenieError
from eugenie_cli.sources.interface import Tally
from eugenie_cli.sources.records.rejections import count_rejections

LONG = {"ts": {"path": "ts"}, "tag": {"path": "tag"}, "quality": {"path": "q", "scheme": "opcda"}}
ROWS = 5
NOON = 1_768_302_000_000  # 2026-01-13T11:00:00Z, noon in Berlin


def only_ts(column: pa.Array, zone: str = BERLIN, **part) -> list[int | None]:
    """The instants of a column; None for those that are rejected."""
    columns = {"ts": column, "value": pa.array(range(len(column)), pa.int32()), "tag": pa.array(["FT-1"] * len(column))}
    rows, _, _ = read(columns, {"ts": {"path": "ts", **part}, "tag": {"path": "tag"}}, zone)
    found = {int(value or 0): ts for *_, ts, value in rows}
    return [found.get(row) for row in range(len(column))]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_timestamp_without_a_zone_is_local_time(unit):
    column = pa.array([datetime(2026, 1, 13, 12), datetime(2026, 7, 13, 12), None], pa.timestamp(unit))
    assert only_ts(column) == [NOON, 1_783_936_800_000, None]
    assert only_ts(column, "UTC", timezone=BERLIN) == [NOON, 1_783_936_800_000, None]
    # the format and the unit are those of texts and numbers
    assert only_ts(column, format="%d.%m.%Y %H:%M") == only_ts(column, unit="ms") == only_ts(column)


TIMES_OF_DAY = {
    "text": pa.array(["12:00:00", "00:00:00"]),
    "time": pa.array([time(12), time()], pa.time64("us")),
    "spreadsheet": pa.array([datetime(1899, 12, 30, 12), datetime(1899, 12, 30)], pa.timestamp("us")),
}


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("of_day", TIMES_OF_DAY)
def test_a_date_and_a_time_of_day_are_an_instant(unit, of_day):
    columns = {
        "Date": pa.array([datetime(2026, 1, 13)] * 2, pa.timestamp(unit)),
        "Time": TIMES_OF_DAY[of_day],
        **{"tag": pa.array(["FT-1"] * 2), "value": pa.array([1.0, 2.0])},
    }
    rows, refusals, _ = read(columns, {"ts": {"path": ["Date", "Time"]}, "tag": {"path": "tag"}})
    assert refusals == []
    assert [row[2] for row in rows] == [NOON, NOON - 12 * 3_600_000]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "+05:00"])
def test_a_timestamp_with_a_zone_is_an_instant(unit, zone):
    column = pa.array([NOON // 1000], pa.int64()).cast(pa.timestamp("s")).cast(pa.timestamp(unit, zone))
    assert only_ts(column) == [NOON]


def test_instants_that_are_none_are_rejected_as_texts_are():
    doubled, missing = datetime(2026, 10, 25, 2, 30), datetime(2026, 3, 29, 2, 30)
    times = [doubled, missing, datetime(1969, 12, 31), None, datetime(2026, 1, 13, 12)]
    columns = {
        "ts": pa.array(times, pa.timestamp("us")),
        "value": pa.array([1.5] * 5),
        "tag": pa.array(["FT-1"] * 5).dictionary_encode(),
    }
    mapping = {"ts": {"path": "ts", "format": "%d.%m.%Y %H:%M"}, "tag": {"path": "tag"}}
    rows, refusals, reader = read(columns, mapping)
    assert rows == [("pump-1", "flow", NOON, 1.5)]
    assert refusals == [("missing-field", [3], None), ("bad-timestamp", [0, 1, 2], None)]
    block = block_of(columns)
    tally = Tally()
    _, refused = reader.read(block)
    count_rejections(tally, reader, block, refused, lambda row: f"plant.log row {row + 1}")
    assert (tally.records, tally.lost, dict(tally.rejected)) == (5, 4, {"missing-field": 1, "bad-timestamp": 3})
    assert tally.examples["missing-field"] == ["plant.log row 4: no ts at 'ts'"]
    assert tally.examples["bad-timestamp"][0].startswith("plant.log row 1: the local time 2026-10-25T02:30:00 occurs")
    assert "before 1970" in tally.examples["bad-timestamp"][2]


def test_dates_and_dictionaries_of_text_are_instants():
    midnight = NOON - 12 * 3_600_000
    for kind in (pa.date32(), pa.date64()):
        assert only_ts(pa.array([date(2026, 1, 13), None], kind)) == [midnight, None]
    texts = pa.array(["2026-01-13T12:00:00", None, "soon", "2026-01-13T12:00:00"])
    assert only_ts(texts.dictionary_encode()) == only_ts(texts.cast(pa.large_string())) == [NOON, None, None, NOON]
    assert only_ts(pa.array([time(12)], pa.time64("us"))) == [None]
    assert only_ts(pa.nulls(2)) == [None, None]


NUMBERS = [
    *((pa.int64(), "ms", NOON), (pa.uint64(), "ms", NOON), (pa.int32(), "s", NOON // 1000)),
    *((pa.float64(), "s", NOON / 1000), (pa.decimal128(20, 3), "s", Decimal(NOON) / 1000)),
    *((pa.int64(), "ns", NOON * 1_000_000), (pa.float64(), "excel", 46035.5), (pa.int32(), "excel", 46035)),
    (pa.string(), "ms", str(NOON)),
]


@pytest.mark.parametrize(("kind", "unit", "number"), NUMBERS)
def test_typed_numbers_take_the_unit(kind, unit, number):
    expected = NOON - 12 * 3_600_000 if number == 46035 else NOON
    column = pa.array([number, None], kind)
    assert only_ts(column, unit=unit) == [expected, None]
    assert only_ts(column) == [None, None]  # without a unit, a number is refused


def columns_of(*kinds: tuple[pa.DataType, st.SearchStrategy], least: int = ROWS) -> st.SearchStrategy[pa.Array]:
    """Columns of one of these types, with nulls."""

    def of(kind: pa.DataType, values: st.SearchStrategy) -> st.SearchStrategy[pa.Array]:
        cells = st.lists(st.none() | values, min_size=least, max_size=ROWS)
        return cells.map(lambda column: pa.array(column, kind))

    return st.one_of(*(of(kind, values) for kind, values in kinds))


DAYS = st.datetimes(datetime(1969, 1, 1), datetime(2035, 1, 1))
CLOCK_CHANGE = st.sampled_from([datetime(2026, 10, 25, 1) + timedelta(minutes=20 * step) for step in range(9)])
DECIMALS = st.decimals(-(10**20), 10**20, allow_nan=False, allow_infinity=False, places=10)
VALUES = columns_of(
    (pa.int8(), st.integers(-128, 127)),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.float32(), st.floats(width=32)),
    (pa.float64(), st.one_of(st.floats(), st.sampled_from([-9999.0, 0.0, 1.0]))),
    (pa.decimal128(38, 10), DECIMALS),
    (pa.bool_(), st.booleans()),
    (pa.string(), st.sampled_from(["2.5", " 2.5 ", "", "Bad Input", "soon", "-9999.0", "true", "1e400"])),
    (pa.null(), st.none()),
    least=1,
)
TIMES = columns_of(
    (pa.timestamp("us"), DAYS),
    (pa.timestamp("us"), CLOCK_CHANGE),
    (pa.timestamp("ms", "Asia/Tokyo"), DAYS),
    (pa.date32(), DAYS.map(datetime.date)),
    (pa.int64(), st.integers(-1, 2**62)),
    (pa.string(), st.sampled_from(["2026-01-13 12:00", "", " ", "2026-10-25 02:30:00"])),
)
TAGS = columns_of(
    (pa.string(), st.sampled_from(["FT-1", " FT-1", "7", "", "XX"])), (pa.int16(), st.sampled_from([7, 8]))
)
QUALITIES = columns_of(
    (pa.int32(), st.sampled_from([0, 192, 24, 500, -1])),
    (pa.float64(), st.sampled_from([0.0, 192.0, 192.5])),
    (pa.decimal128(6, 2), st.sampled_from([Decimal("192.00"), Decimal(0)])),
    (pa.bool_(), st.booleans()),
    (pa.string(), st.sampled_from(["192", "0", "Good", ""])),
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(VALUES, TIMES, TAGS, QUALITIES)
def test_long_records_of_any_types_are_read_like_the_rule(value, ts, tag, quality):
    count = len(value)
    columns = {"value": value, "ts": ts.slice(0, count), "tag": tag.slice(0, count), "q": quality.slice(0, count)}
    unit = "ms" if pa.types.is_integer(ts.type) else "iso"
    mapping = {**LONG, "ts": {"path": "ts", "unit": unit}, "value": {"path": "value", "status": ["-9999"]}}
    assert_alike(columns, mapping)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(VALUES, TIMES)
def test_wide_records_of_any_types_are_read_like_the_rule(value, ts):
    columns = {"ts": ts.slice(0, len(value)), "FT-1": value}
    unit = "ms" if pa.types.is_integer(ts.type) else "iso"
    mapping = {"shape": "wide", "ts": {"path": "ts", "unit": unit}, "value": {"status": ["-9999"]}}
    assert_alike(columns, mapping)


def test_a_typed_cell_that_is_empty_is_no_reading_of_an_asset_without_the_sensor():
    columns = {
        "ts": pa.array([datetime(2026, 1, 13, 12)] * 2, pa.timestamp("ms")),
        "asset": pa.array(["pump-1", "fan-1"]),
        "flow": pa.array([2.5, None]),
        "speed": pa.array([None, 900], pa.int32()),
    }
    rows, refusals, reader = read(columns, {"shape": "wide", "asset": {"path": "asset"}})
    assert rows == [("pump-1", "flow", NOON, 2.5), ("fan-1", "speed", NOON, 900.0)]
    assert (refusals, reader.lost) == ([], 0)


def test_a_column_of_an_unreadable_type_is_an_error_only_where_it_is_needed():
    columns = {
        "ts": pa.array([NOON]), "tag": pa.array(["FT-1"]), "value": pa.array([1.0]), "blob": pa.array([b"\x00"]),
    }  # fmt: skip
    mapping = {"ts": {"path": "ts", "unit": "ms"}, "tag": {"path": "tag"}}
    assert read(columns, mapping)[0] == [("pump-1", "flow", NOON, 1.0)]
    with pytest.raises(EugenieError, match="column 'value' cannot be read: list"):
        read({**columns, "value": pa.array([[1.0]])}, mapping)


def test_sums_of_decimals_are_rounded_once():
    text = "12345678901234567.8901234567"
    columns = {
        "ts": pa.array([NOON]), "tag": pa.array(["FT-1"]), "value": pa.array([Decimal(text)], pa.decimal128(38, 10)),
    }  # fmt: skip
    ((*_, value),), _, _ = read(columns, {"ts": {"path": "ts", "unit": "ms"}, "tag": {"path": "tag"}})
    assert value == float(text) == np.float64(text)
