"""Exports in random dialects: what is proposed imports exactly what was written, or marks what is ambiguous."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.looked import Readings, checks, imported, looked, questions

TIMES = {
    "iso": "%Y-%m-%d %H:%M:%S",
    "iso with Z": "%Y-%m-%dT%H:%M:%SZ",
    "day first": "%d.%m.%Y %H:%M:%S",
    "slashes, day first": "%d/%m/%Y %H:%M:%S",
    "month first": "%m/%d/%Y %I:%M:%S %p",
    "names of months": "%d-%b-%y %H:%M:%S",
    "compact": "%Y%m%d %H%M%S",
    "milliseconds": "",
    "date and time": "%Y/%m/%d|%H:%M:%S",
}
QUALITIES = {
    "words": ("Good", "Bad"),
    "opcda": ("192", "0"),
    "boolean": ("true", "false"),
    "opcua": ("0", "2150891520"),
}
ABOVE = ("Report of line 3", "Exported by the historian", "")
TAGS = ("FT-101.PV", "PT-102.PV")


@dataclass(frozen=True)
class Dialect:
    """How an export is written."""

    delimiter: str
    decimal: str
    time: str
    shape: str
    quality: str
    above: int
    encoding: str
    quoted: bool


@st.composite
def dialects(draw: st.DrawFn) -> Dialect:
    delimiter = draw(st.sampled_from([",", ";", "\t", "|"]))
    decimal = draw(st.sampled_from([".", ","] if delimiter != "," else ["."]))
    shape = draw(st.sampled_from(["wide", "long", "pairs"]))
    time = draw(st.sampled_from(sorted(set(TIMES) - ({"date and time"} if shape == "pairs" else set()))))
    quality = draw(st.sampled_from(["", *QUALITIES])) if shape != "pairs" else ""
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]))
    above = draw(st.integers(0, len(ABOVE)))
    return Dialect(delimiter, decimal, time, shape, quality, above, encoding, draw(st.booleans()))


@st.composite
def rows(draw: st.DrawFn) -> list[tuple[datetime, tuple[float, float], tuple[bool, bool]]]:
    """(instant, the value of each tag, whether it is good)."""
    start = datetime(2019, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=draw(st.integers(0, 6 * 365 * 86_400)))
    step = draw(st.sampled_from([1, 10, 60, 3_600, 86_400]))
    values = st.tuples(*[st.integers(-99_999, 999_999).map(lambda n: n / 10 ** draw(st.integers(0, 3)))] * 2)
    good = st.tuples(st.booleans(), st.booleans())
    found = draw(st.lists(st.tuples(values, good), min_size=3, max_size=12))
    return [(start + timedelta(seconds=step * n), *row) for n, row in enumerate(found)]


def cell_of(at: datetime, time: str) -> list[str]:
    if time == "milliseconds":
        return [str(int(at.timestamp() * 1_000))]
    return at.strftime(TIMES[time]).split("|")


def written(dialect: Dialect, given_rows: list) -> tuple[bytes, Readings]:
    """(the file, its readings)."""
    instants = ["Date", "Time"] if dialect.time == "date and time" else ["Time"]
    codes = QUALITIES.get(dialect.quality, ("", ""))
    lines: list[list[str]] = []
    readings = Readings()
    for at, values, good in given_rows:
        times = cell_of(at, dialect.time)
        texts = [repr(value).replace(".", dialect.decimal) for value in values]
        marks = [codes[0] if ok else codes[1] for ok in good]
        rated = dialect.quality != ""
        if dialect.shape == "wide":
            pairs = [[text, mark] if rated else [text] for text, mark in zip(texts, marks, strict=True)]
            lines.append([*times, *(cell for pair in pairs for cell in pair)])
        elif dialect.shape == "pairs":
            lines.append([cell for text in texts for cell in (*times, text)])
        else:
            cells = zip(TAGS, texts, marks, strict=True)
            lines += [[tag, *times, text, *([mark] if rated else [])] for tag, text, mark in cells]
        for tag, value, ok in zip(TAGS, values, good, strict=True):
            readings[tag, int(at.timestamp() * 1_000)] = value if ok or not rated else None
    header = {
        "wide": [*instants, *(n for tag in TAGS for n in ([tag, f"{tag}_Quality"] if dialect.quality else [tag]))],
        "pairs": [name for tag in TAGS for name in (tag, "")],
        "long": ["Tag", *instants, "Value", *(["Quality"] if dialect.quality else [])],
    }[dialect.shape]
    quote = '"{}"' if dialect.quoted else "{}"
    text = "".join(f"{line}\n" for line in ABOVE[: dialect.above])
    text += "".join(dialect.delimiter.join(map(quote.format, line)) + "\n" for line in [header, *lines])
    return text.encode(dialect.encoding), readings


def approximately(readings: Readings) -> Readings:
    return {key: None if value is None else pytest.approx(value) for key, value in readings.items()}


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(dialect=dialects(), given_rows=rows())
def test_a_proposal_reads_what_was_written_or_says_what_to_check(dialect, given_rows):
    content, expected = written(dialect, given_rows)
    with tempfile.TemporaryDirectory() as folder:
        found = looked(Path(folder), {"export.csv": content})
        assert found.proposals, found.refused
        readings, tally = imported(Path(folder), found)
    to_check = checks(found)
    if {ts for _, ts in readings} != {ts for _, ts in expected}:
        assert "ts" in to_check, (content, found.text.sources(), questions(found))
    elif readings != approximately(expected):
        assert {"value", "quality"} & set(to_check), (content, found.text.sources(), tally)
