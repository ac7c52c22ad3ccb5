"""Points of InfluxDB as columns: every value keeps its type, its instant and its series."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eugenie_cli.site.field_types import to_ms
from eugenie_cli.sources.influxdb.points import Series, by_field, by_point
from eugenie_cli.sources.influxdb.query import identifier, select, text
from eugenie_cli.sources.influxdb.settings import InfluxSettings
from eugenie_cli.sources.windows.reader import Span

NUMBERS = [st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**63), 2**63 - 1)]
VALUES = st.one_of(st.none(), *NUMBERS, st.booleans(), st.sampled_from(["", "OPEN", "2.5"]))
SERIES = st.builds(
    lambda name, tag, rows: Series(name, {"unit": tag}, ("time", "a", "b"), [list(row) for row in rows]),
    st.sampled_from(["pumps", "fans"]),
    st.sampled_from(["", "P-1", "P-2"]),
    st.lists(st.tuples(st.integers(0, 2**60), VALUES, VALUES), max_size=5),
)


def plain(value):
    return float(value) if type(value) is int and abs(value) <= 1 << 53 else value


@pytest.mark.slow
@settings(max_examples=50)
@given(st.lists(SERIES, max_size=4))
def test_each_value_is_one_record(chunks):
    found = []
    for batch in by_field(chunks, ["unit"]):
        times = batch.column("time").cast("int64").to_pylist()
        rows = batch.drop_columns("time").to_pylist()
        found += [(time, *row.values()) for time, row in zip(times, rows, strict=True)]
    expected = [
        (row[0], series.measurement, name, plain(row[1 + index]), series.tags["unit"] or None)
        for series in chunks
        for row in series.values
        for index, name in enumerate(("a", "b"))
        if row[1 + index] is not None
    ]
    assert sorted(map(repr, found)) == sorted(map(repr, expected))


def test_a_point_is_a_record_with_its_tags_and_fields():
    chunks = [
        Series("pumps", {"unit": "P-1"}, ("time", "flow", "state"), [[1, 2, None], [2, 2.5, "OPEN"]]),
        Series("pumps", {"unit": "P-2"}, ("time", "flow"), []),
        Series("fans", {}, ("time", "flow"), [[3, True]]),
    ]
    first, second = by_point(chunks, ["unit"], ["flow", "state"])
    assert first.drop_columns("time").to_pylist() == [
        {"measurement": "pumps", "unit": "P-1", "flow": 2.0, "state": None},
        {"measurement": "pumps", "unit": "P-1", "flow": 2.5, "state": "OPEN"},
    ]
    assert second.drop_columns("time").to_pylist() == [
        {"measurement": "fans", "unit": None, "flow": True, "state": None}
    ]
    assert first.column("time").cast("int64").to_pylist() == [1, 2]


@pytest.mark.parametrize(
    ("name", "quoted", "literal"),
    [
        ("flow", '"flow"', "'flow'"),
        ('a"; DROP DATABASE x', '"a\\"; DROP DATABASE x"', "'a\"; DROP DATABASE x'"),
        ("it's", '"it\'s"', "'it\\'s'"),
        ("a\\", '"a\\\\"', "'a\\\\'"),
    ],
)
def test_names_and_texts_are_quoted(name, quoted, literal):
    assert (identifier(name), text(name)) == (quoted, literal)


def test_a_query_names_its_span_in_nanoseconds():
    source = InfluxSettings.model_validate(
        {
            "name": "s",
            "type": "influxdb",
            "url": "http://influx:8086",
            "database": "plant",
            "policy": "one year",
            "measurements": ["pumps", "fans"],
            "fields": ["flow"],
            "where": {"plant": "north", "area": "a'b"},
            "start": "2026-01-01T00:00:00Z",
            "readings": {"asset": {"path": "unit"}, "sensor": {"path": "field"}},
        }
    )
    first = to_ms(source.start)
    assert select(source, Span(first, first + 1)) == (
        'SELECT "flow"::field FROM "one year"."pumps", "one year"."fans" WHERE time >= 1767225600000000000'
        " AND time < 1767225600001000000 AND \"area\" = 'a\\'b' AND \"plant\" = 'north' GROUP BY *"
    )
