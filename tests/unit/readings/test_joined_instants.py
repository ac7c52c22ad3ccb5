"""Instants in several fields, in one of several formats, and in units of spreadsheets: by the rule and as columns."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.record_tables import assert_alike, texts

from eugenie_cli.readings.columns.instants import FEWEST, Instants
from eugenie_cli.readings.timestamps import compile_instant

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
