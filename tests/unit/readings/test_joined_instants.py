"""Instants in several fields, in one of several formats, and in units of spreadsheets: by the rule and as columns."""

from __future__ import annotations

import random
from datetime import datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.record_tables import assert_alike, texts

from eugenie_cli.readings.columns.instants import FEWEST, Instants
from eugenie_cli.readings.number_units import COUNTS, DAYS, of_instant
from eugenie_cli.readings.timestamps import compile_instant, wall_ms

FIVE = 1_768_280_400_000  # 2026-01-13T05:00:00Z
US, GERMAN = "%m/%d/%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S"


def both(rule: tuple, texts: list[str]) -> list[int | None]:
    """The instants of texts, by the rule and as a column, which must agree; None for those that are refused."""
    read, columns = compile_instant(*rule), Instants(*rule)

    def one(text: str) -> int | None:
        try:
            return read(text)
        except ValueError:
            return None

    expected = [one(text) for text in texts]
    for table, wanted in ((texts, expected), (texts * FEWEST, expected * FEWEST)):
        ts, is_read = columns.of_texts(pa.array(table, pa.string()))
        assert [int(at) if ok else None for at, ok in zip(ts, is_read, strict=True)] == wanted
    return expected


@pytest.mark.parametrize(
    ("rule", "text", "after_five"),
    [
        (("iso", US, "UTC", "reject", True), "01/13/2026 05:00:00", 0),
        (("iso", US, "UTC", "reject", True), "01/13/2026 05:00:00 250", 250),
        (("iso", US, "UTC", "reject", True), "01/13/2026 05:00:00 7", 7),  # not seven tenths
        (("iso", US, "UTC", "reject", True), "1/13/2026 5:00:00 07.0", 7),  # a number in Excel
        (("iso", US, "UTC", "reject", True), "01/13/2026 05:00:00 1000", None),
        (("iso", US, "UTC", "reject", True), "01/13/2026 05:00:00 x", None),
        (("iso", US + ".%f", "UTC", "reject", True), "01/13/2026 05:00:00.25 250", None),  # two fractions
        (("iso", "%m/%d/%Y %H:%M", "UTC", "reject", True), "01/13/2026 05:00 30", None),  # seconds or milliseconds?
        (("iso", None, "UTC", "reject", True), "2026-01-13 05:00:00", 0),
        (("iso", None, "UTC", "reject", True), "2026-01-13 05:00:00 9", 9),
        (("iso", None, "UTC", "reject", True), "2026-01-13 05:00 9", None),
        (("iso", None, "UTC", "reject", True), "2026-01-13 05:00:00.5 9", None),
        (("iso", None, "Europe/Berlin", "reject", True), "2026-01-13 06:00:00 9", 9),
        (("s", None, "UTC", "reject", True), f"{FIVE // 1000} 250", 250),
        (("s", None, "UTC", "reject", True), f"{FIVE // 1000}.5 250", None),
        (("excel", None, "UTC", "reject", True), "46035 0.208333333333", 0),
        (("excel", None, "UTC", "reject", True), "46035,0 0,2083362268518519", 250),
        (("excel", None, "UTC", "reject", True), "46035 x", None),
        (("iso", US, "UTC", "reject", True, "us"), "01/13/2026 05:00:00 250", 0),
        (("iso", US, "UTC", "reject", True, "us"), "01/13/2026 05:00:00 250999", 250),
        (("iso", US, "UTC", "reject", True, "us"), "01/13/2026 05:00:00 2509999", None),
        (("iso", None, "UTC", "reject", True, "ns"), "2026-01-13 05:00:00 7000000", 7),
        (("s", None, "UTC", "reject", True, "us"), f"{FIVE // 1000} 250000", 250),
        (("iso", US, "UTC", "reject", True, "s"), "01/13/2026 05:00:00 0.25", 250),
        (("iso", US, "UTC", "reject", True, "s"), "01/13/2026 05:00:00 ,5", 500),
        (("iso", US, "UTC", "reject", True, "s"), "01/13/2026 05:00:00 0", 0),
        (("iso", US, "UTC", "reject", True, "s"), "01/13/2026 05:00:00 1", None),
        (("iso", US, "UTC", "reject", True, "s"), "01/13/2026 05:00:00 25", None),
        (("iso", US, "UTC"), "01/13/2026 05:00:00 250", None),  # one field
        (("iso", [GERMAN, US], "UTC"), "13.01.2026 05:00:00", 0),
        (("iso", [GERMAN, US], "UTC"), "01/13/2026 05:00:00", 0),
        (("iso", [GERMAN, "%d.%m.%Y %H:%M:%S,%f"], "UTC"), "13.01.2026 05:00:00,25", 250),
        (("iso", [GERMAN, US], "UTC"), "2026-01-13 05:00:00", None),
        (("iso", [US, "%d/%m/%Y %H:%M:%S"], "UTC"), "01/13/2026 05:00:00", 0),  # only one of them fits
        (("iso", [US, "%d/%m/%Y %H:%M:%S"], "UTC"), "03/04/2026 05:00:00", None),  # March or April
        (("iso", [GERMAN, US], "UTC", "reject", True), "13.01.2026 05:00:00 4", 4),
        (("excel",), "46035.2083333333", 0),
        (("excel",), "46035.208333333336", 0),
        (("excel",), "46035,2083362268518", 250),
        (("excel",), "46035.20833333333333333333", 0),
        (("excel",), "46035.20833", 0),  # within a half of the last decimal, which is 0.9 s
        (("excel",), "46035.2083449", 1000),
        (("excel",), "46035.20833565", 200),
        (("excel",), "46035.2083", None),  # 04:59:57.12, or any second near it
        (("excel",), "46035.25", 3_600_000),
        (("excel1904",), "44573.2083333333", 0),
        (("excel1904",), "44573,20833", 0),
        (("excel1904",), "24106.5", None),
        (("excel1904", None, "Europe/Berlin"), "44573.25", 0),
        (("matlab",), "739995.2083333333", 0),
        (("mjd",), "61053.2083333333", 0),
        (("mjd", None, "Europe/Berlin"), "61053.2083333333", 0),  # UTC by definition
        (("julian",), "2461053.70833333", 0),
        (("julian",), "2461053.70834491", 1000),
        (("julian",), "2440587.4", None),
        (("filetime",), "134127540000000000", 0),
        (("filetime",), "134127540012509999", 1250),
        (("filetime",), "0", None),
        (("ticks",), "639038772000000000", 0),
        (("ticks", None, "Europe/Berlin"), "639038808000000000", 0),
        (("ticks",), "3155378975999999999", None),  # DateTime.MaxValue
        (("labview",), "3851125200.5", 500),
        (("labview",), "2082844799", None),
        (("gps",), "1452315618.000", 0),
        (("gps",), "1167264016", 1_483_228_799_000 - FIVE),
        (("gps",), "1167264017", 1_483_228_800_000 - FIVE),  # 23:59:60 is read as the midnight after it
        (("gps",), "1167264018", 1_483_228_800_000 - FIVE),
        (("ms",), "1.76828E+12", None),  # shortened by a spreadsheet
        (("s",), "1.77E+09", None),
        (("ms",), "1.768280400000E+12", 0),
        (("wincc",), "46035208333,3333", 0),
        (("wincc",), "46035208339,1204", 500),
        (("wincc",), "46035208333", -29),
        (("wincc",), "46035.2083", None),
        (("wincc", None, "Europe/Berlin"), "46035250000", 0),
    ],
)
def test_one_text(rule, text, after_five):
    assert both(rule, [text]) == [None if after_five is None else FIVE + after_five]


def test_a_text_that_two_formats_read_differently_is_refused_with_both():
    with pytest.raises(ValueError, match=r"read differently by the formats '%m/%d.* and '%d/%m.*: keep one of them"):
        compile_instant(format=[US, "%d/%m/%Y %H:%M:%S"])("03/04/2026 05:00:00")
    with pytest.raises(ValueError, match="matches none of the formats"):
        compile_instant(format=[US, GERMAN])("2026-03-04 05:00:00")
    with pytest.raises(ValueError, match="day is out of range"):
        compile_instant(format=[US, GERMAN])("31.02.2026 05:00:00")


@pytest.mark.parametrize(
    ("format", "text", "after_five"),
    [
        (None, "2026-01-12 24:00:00", 0),
        (None, "2026-01-12T24:00Z", 0),
        (None, "2026-01-12 24:00:00.000", 0),
        (None, "2026-01-12 24:00:01", None),
        (None, "2026-01-12 24:00:00.001", None),
        (None, "2026-01-12 25:00:00", None),
        ("%d.%m.%Y %H:%M", "12.01.2026 24:00", 0),
        ("%d.%m.%Y %H:%M", "12.01.2026 24:01", None),
        ("%d.%m.%Y %H", "12.01.2026 24", 0),
        ("%d.%m.%Y %H:%M:%S.%f", "12.01.2026 24:00:00.5", None),
        ("%m/%d/%Y %I:%M %p", "01/12/2026 24:00 PM", None),
    ],
)
def test_the_end_of_a_day_is_the_next_midnight(format, text, after_five):
    midnight = FIVE - 5 * 3_600_000
    assert both(("iso", format), [text]) == [None if after_five is None else midnight + after_five]
    assert both(("iso", None), ["9999-12-31 24:00:00"]) == [None]


@pytest.mark.parametrize("unit", sorted({*COUNTS, *DAYS}))
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_every_unit_reads_what_it_writes(unit, zone):
    chance = random.Random(f"{unit}{zone}")
    instants = [chance.randrange(1_000_000_000, 2_500_000_000) * 1_000 for _ in range(100)]
    walls = [wall_ms(datetime.fromtimestamp(ts / 1000, ZoneInfo(zone)).replace(tzinfo=None)) for ts in instants]
    numbers = [of_instant(*both_clocks, unit) for both_clocks in zip(instants, walls, strict=True)]
    written = [f"{number:.12f}" if unit in DAYS else f"{number:.0f}" for number in numbers]
    assert both((unit, None, zone, "first"), written) == instants


@pytest.mark.parametrize("unit", ["excel", "wincc"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_days_of_any_number_of_digits_as_columns(unit, zone):
    chance = random.Random(unit)
    scale = 1 if unit == "excel" else 1_000_000
    numbers = [f"{(25_569 + chance.random() * 30_000) * scale:.{digits}f}" for digits in range(18) for _ in range(20)]
    numbers += ["46035.5000000057870370", "46035.00000000578703703", "46035.000000005787", "2958465.9", "25568.9"]
    found = both((unit, None, zone), numbers)
    assert sum(instant is not None for instant in found) > 300


FIELDS = st.lists(
    st.tuples(
        st.sampled_from(["13.01.2026", " 13.01.2026 ", "25.10.2026", "", "13/01/2026", "32.01.2026"]),
        st.sampled_from(["05:00:00", "02:30:00", "5:00:00", "", "05:00", "24:00:00", "05:00:00.5"]),
        st.sampled_from(["250", "0", "7", "999", "1000", "", " 25 ", "2.5", "12.0"]),
    ),
    min_size=1,
    max_size=40,
)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(FIELDS, st.sampled_from(["reject", "first", "second"]))
def test_records_with_several_fields_are_read_like_the_rule(rows, ambiguous):
    columns = texts([[*row, "1.5"] for row in rows], ["Date", "Time", "Millitm", "FT-1"])
    ts = {"path": ["Date", "Time", "Millitm"], "format": GERMAN, "ambiguous": ambiguous}
    assert_alike(columns, {"shape": "wide", "format": "csv", "ts": ts})
