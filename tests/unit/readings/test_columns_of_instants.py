"""Columns of instants: every text is read like the scalar rule reads it, and most texts never reach that rule.

The tables are generated from a seed: random instants and instants close to each clock change, formatted like those of
gateways, then corrupted by one character.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from eugenie_cli.readings.columns import local_time
from eugenie_cli.readings.columns.instants import FEWEST, Instants
from eugenie_cli.readings.columns.local_time import LocalTime
from eugenie_cli.readings.timestamps import compile_instant, wall_ms

ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"]
ISO = [
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%M:%S+05:30",
    "%Y-%m-%dT%H:%M:%S -03",
]
FORMATS = [
    *("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S,%f", "%Y%m%d%H%M%S", "%Y%m%dT%H%M%S%z", "%m/%d/%Y %I:%M:%S %p"),
    *("%y-%m-%d %H:%M", "%Y-%j %H:%M:%S", "%H:%M:%S.%f %d/%m/%Y", "%a %b %d %H:%M:%S %Y", "%d %B %Y %I %p"),
    *("%Y-%m-%d %H:%M:%S %Z", "%Y-%m-%dT%H:%M:%SZ", "PLC-1 %Y-%m-%d %H:%M:%S.%f000", "%d.%m.%Y %H:%M:%S Uhr"),
    *("%z1 %Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S %z", "%d日%m月%Y %H:%M"),
    *("%d-%b-%y %I:%M:%S %p", "%A, %d. %B %Y %H:%M", "%d%b%Y %H:%M:%S", "%a%dx%b %Y %H:%M"),
]
FIELDS = [("iso", None, written) for written in ISO] + [("iso", format, format) for format in FORMATS]
STRANGE = [
    *(
        "",
        " ",
        "\t",
        "\0",
        "soon",
        "2026",
        "２０２６-01-01T00:00:00",
        "2026-01-01T00:00:00\n",
        "2026-01-01T00:00:00Z\0",
    ),
    *("13.01.2026", "01/13/2026", "0000-01-01T00:00:00", "9999-12-31T23:59:59", "1969-12-31T23:59:59", "é" * 19),
    *(
        "2026-01-01T00:00:00" * 5_000,
        "x" * 100_000,
        "2026-02-29T00:00:00",
        "2024-02-29T23:59:60",
        "31.04.2026 00:00:00",
    ),
]
LETTERS = "0123456789 .:-+/TZtzAPMapm,\n\0é٣"


def instants(zone: str, chance: random.Random) -> list[datetime]:
    """Naive local times, a third of them within two hours of a clock change."""
    hours = [datetime(2026, 1, 1) + timedelta(hours=hour) for hour in range(1, 24 * 365)]
    offset = [ZoneInfo(zone).utcoffset(hour) for hour in hours]
    changes = [hour for hour, before, after in zip(hours[1:], offset, offset[1:], strict=False) if before != after]
    assert len(changes) == (2 if zone not in ("UTC", "Asia/Kolkata") else 0)
    walls = [change + timedelta(minutes=minutes) for change in changes for minutes in range(-120, 121, 5)]
    walls += [datetime(1970, 1, 1) + timedelta(seconds=chance.random() * 4e9) for _ in range(120)]
    walls += [datetime(2026, 7, 3, 6, 0, 0, 120_000) + timedelta(milliseconds=250 * step) for step in range(120)]
    return walls


def texts(written: str, zone: str, chance: random.Random) -> list[str]:
    """Formatted instants, some without leading zeros, and the same number of corrupted ones."""
    formatted = []
    for wall in instants(zone, chance):
        aware = wall.replace(tzinfo=ZoneInfo(zone) if "%Z" in written else timezone(timedelta(hours=-3, minutes=-30)))
        text = aware.strftime(written)
        if "%f" in written:
            fraction = f"{wall.microsecond:06d}"
            text = text.replace(fraction, (fraction + "789")[: chance.choice([3, 3, 3, 1, 6, 7, 9])], 1)
        short = text.replace(" 0", " ").replace(".0", ".").replace("/0", "/")
        formatted.append(short if chance.random() < 0.3 else text)
    corrupted = []
    for text in formatted:
        position, letter = chance.randrange(len(text) + 1), chance.choice(LETTERS)
        corrupted.append(text[:position] + letter + text[position + chance.randrange(3) :])
    return formatted + corrupted + [f" {formatted[0]}\t", *STRANGE]


def by_the_rule(unit: str, format: str | None, zone: str, members: list) -> list[int | None]:
    rule = compile_instant(unit, format, zone)

    def read(member: object) -> int | None:
        if not isinstance(member, (str, int, float)) or isinstance(member, bool):
            return None
        try:
            return rule((member if isinstance(member, str) else repr(member)).strip(" \t"))
        except ValueError:
            return None

    return [read(member) for member in members]


def instants_of(result: tuple[np.ndarray, np.ndarray]) -> list[int | None]:
    ts, read = result
    assert not ts[~read].any()
    return [int(instant) if is_read else None for instant, is_read in zip(ts, read, strict=True)]


@pytest.mark.slow
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(("unit", "format", "written"), FIELDS)
def test_columns_read_every_text_like_the_rule(unit, format, written, zone):
    chance = random.Random(f"{written} {zone}")
    columns, table = Instants(unit, format, zone), texts(written, zone, chance)
    expected = by_the_rule(unit, format, zone, table)
    assert 0 < sum(instant is not None for instant in expected) < len(expected)
    for _again in range(2):
        assert instants_of(columns.of_members(table)) == expected
        assert instants_of(columns.of_texts(pa.array(table, pa.string()))) == expected
        # part of a longer column, with nulls
        column = pa.array([None, *table, None], pa.string())
        assert instants_of(columns.of_texts(column.slice(1))) == [*expected, None]
        plain = instants_of(columns.of_plain_texts(column))
        assert all(
            instant is None or instant == rule for instant, rule in zip(plain, [None, *expected, None], strict=True)
        )
        order = chance.sample(range(len(table)), len(table))
        table, expected = [table[row] for row in order], [expected[row] for row in order]
    for text, instant in zip(table[:40], expected, strict=False):
        assert instants_of(columns.of_members([text])) == [instant], text
        assert instants_of(columns.of_members([text] * FEWEST)) == [instant] * FEWEST, text


NAMES = [
    "Jan",
    "JAN",
    "mar",
    "Mrt",
    "sept",
    "SEPT.",
    "Juin",
    "July",
    "september",
    "desember",
    "août",
    "xyz",
    "ma",
    "j4n",
]


@pytest.mark.parametrize("format", ["%d %b %Y %I:%M %p", "%d. %B %y %H:%M", "%b/%d/%Y %H:%M"])
def test_names_in_any_language_and_case_are_read_like_the_rule(format):
    chance = random.Random(format)
    halves = ["AM", "pm", "a.m.", "P.M", "xm", "p1"]
    table = []
    for name in NAMES:
        for _ in range(2 * FEWEST):
            text = format.replace("%b", name).replace("%B", name).replace("%p", chance.choice(halves))
            digits = {"%d": f"{chance.randrange(33):02}", "%Y": "2026", "%y": "26", "%I": f"{chance.randrange(14):02}"}
            for directive, written in {**digits, "%H": "17", "%M": f"{chance.randrange(70):02}"}.items():
                text = text.replace(directive, written)
            table.append(text)
    chance.shuffle(table)
    expected = by_the_rule("iso", format, "Europe/Berlin", table)
    assert 0 < sum(instant is not None for instant in expected) < len(expected)
    columns = Instants("iso", format, "Europe/Berlin")
    assert instants_of(columns.of_texts(pa.array(table, pa.string()))) == expected
    plain = instants_of(columns.of_plain_texts(pa.array(table, pa.string())))
    months = [instant for instant, text in zip(expected, table, strict=True) if text.isascii()]
    assert sum(instant is not None for instant in plain) > 0.5 * sum(instant is not None for instant in months)


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Australia/Lord_Howe"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns", "excel", "iso"])
def test_columns_read_every_number_like_the_rule(unit, zone):
    chance = random.Random(f"{unit} {zone}")
    scale = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}.get(unit, 1 / 86_400)
    start = 25_569 if unit == "excel" else 0
    numbers: list = [start + scale * chance.random() * 4e9 for _ in range(200)]
    numbers += [start + scale * 1.774e9 + scale * step * 0.125 for step in range(100)]
    numbers += [round(number, chance.randrange(12)) for number in numbers]
    members = [*numbers, *map(int, numbers), *map(str, numbers)]
    members += [str(number).replace(".", ",") for number in numbers[:200]]
    members += [*(str(int(number)) for number in numbers), *(f"{number:.0f}." for number in numbers[:20])]
    members += [*("-1", "+5", "1e9", "1.5e9", "0", "00", "9" * 18, "9" * 19, "9" * 21, "253402300799", "253402300800")]
    members += [*("253402300799999.9", "2958465", "2958465.5", "2958464,999999999", "25569", "25568.9999", "1.", ".5")]
    members += [*("46035.00000000578703703", "46035.5000000057", None, True, [], {}, -1, 2**63, 10**30, 1e300, "x", "")]
    expected = by_the_rule(unit, None, zone, members)
    columns = Instants(unit, None, zone)
    chance.shuffle(order := list(range(len(members))))
    assert instants_of(columns.of_members([members[row] for row in order])) == [expected[row] for row in order]
    for kind in (int, float, str):
        rows = [row for row, member in enumerate(members) if type(member) is kind]
        assert instants_of(columns.of_members([members[row] for row in rows])) == [expected[row] for row in rows]
    column = pa.array([members[row] for row in rows], pa.string())
    assert instants_of(columns.of_texts(column)) == [expected[row] for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(("unit", "format", "written"), FIELDS)
def test_texts_of_gateways_never_reach_the_scalar_rule(unit, format, written, zone, monkeypatch):
    walls = [datetime(2026, 7, 3, 10, 0, 0, 120_000) + timedelta(milliseconds=250 * step) for step in range(400)]
    table = [wall.replace(tzinfo=timezone.utc).strftime(written) for wall in walls]
    expected = by_the_rule(unit, format, zone, table)
    columns = Instants(unit, format, zone)
    odd = ("%z1 %Y-%m-%d %H:%M", "%d日%m月%Y %H:%M", "%a%dx%b %Y %H:%M")
    if written not in odd:  # digits after an offset; non-ASCII characters; letters next to a name
        monkeypatch.setattr(columns, "_scalar", None)
    # every tenth text is of another kind, beginning with the first: the others must still be read by layouts
    for row in range(0, len(table), 10):
        table[row], expected[row] = "", None
    assert instants_of(columns.of_members(table)) == expected
    assert instants_of(columns.of_texts(pa.array(table, pa.string()))) == expected


def test_a_column_without_rows_is_read():
    for unit in ("iso", "s", "excel"):
        columns = Instants(unit, None, "Europe/Berlin")
        assert instants_of(columns.of_members([])) == instants_of(columns.of_texts(pa.array([], pa.string()))) == []
        assert (
            instants_of(columns.of_members(["", None]))
            == instants_of(columns.of_texts(pa.array(["", None], pa.string())))
            == [None] * 2
        )


def test_one_very_long_text_does_not_widen_the_matrix():
    texts = ["2026-01-03T06:00:00Z"] * 10_000 + ["2" * 900_000]  # as a matrix: nine gigabytes
    ts, read = Instants("iso", None, "UTC").of_members(texts)
    assert read[:-1].all() and not read[-1] and (ts[:-1] == 1767420000000).all()


def test_the_offsets_of_a_limited_number_of_hours_are_kept(monkeypatch):
    monkeypatch.setattr(local_time, "REMEMBERED", 10)
    berlin = LocalTime(ZoneInfo("Europe/Berlin"))
    wall = wall_ms(datetime(2026, 7, 3, 6)) + 60_000 * np.arange(100_000)
    ts, clear = berlin.to_utc(wall)
    assert clear.all() and (wall - ts == 2 * 3_600_000).all()
    assert len(berlin._offsets) == 10
    ts, clear = berlin.to_utc(np.array([wall_ms(datetime(2026, 10, 25, hour, 30)) for hour in range(5)]))
    assert clear.tolist() == [True, True, False, True, True]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_a_text_that_is_almost_an_instant_does_not_affect_others(zone):
    """`2026-1-03T06:00:00Z`, with nineteen characters, once crashed the job that read it."""
    for text in ("2026-1-03T06:00:00Z", "2026-01-03T06:00Z", "2026-01-03T06:00:00", "2026-01-03T06:00:0+01:00"):
        for end in range(len(text) + 1):
            for table in ([text[:end]], [text[:end]] * 20, ["2026-01-03T06:00:00Z", text[end:], text[:end] + "Z"]):
                assert instants_of(Instants("iso", None, zone).of_members(table)) == by_the_rule(
                    "iso", None, zone, table
                )
