"""Timestamp formats: one that determines no instant is refused; results depend only on the text and the zone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eugenie_cli.readings.calendar_names import _MONTHS, MONTHS, key
from eugenie_cli.readings.columns.instants import FEWEST, Instants
from eugenie_cli.readings.format_check import problems
from eugenie_cli.readings.timestamps import compile_instant
from eugenie_cli.site.checks.mapping import check_mapping
from eugenie_cli.site.readings_mapping import ReadingsMapping

REFUSED = {  # format -> part of the message, mostly what to write
    "%m/%d/%Y %H:%M:%S %p": "%I",
    "%I:%M %p %m/%d/%Y %H": "%I",
    "%m/%d/%Y %I:%M:%S": "%p",
    "%m/%d/%Y %p": "%H",
    "%d.%m.%Y": "%H:%M:%S",
    "%Y%m%d": "%H:%M:%S",
    "%H:%M:%S": "%Y",
    "%d.%m. %H:%M:%S": "%Y",
    "%Y %H:%M": "%m",
    "%m/%Y %H:%M": "%d",
    "%Y-%m-%d %H:%S": "%M",
    "%Y-%m-%d %H:%M.%f": "%S",
    "%Y-%m-%d %H:%M:%Q": "%Q is not a directive",
    "%Y-%m-%d %H:%M:%i": "%M",
    "%-d.%-m.%Y %H:%M:%S": "%d",
    "%Y-%m-%d %T": "%H:%M:%S",
    "%F %H:%M:%S": "%Y-%m-%d",
    "%Y-%m-%d %H:%M:%S.%3N": "%f",
    "%Y-%m-%d %H:%M:%S.%L": "%f",
    "%s": "unit: s",
    "%c": "%d.%m.%Y",
    "%x %X": "%d.%m.%Y",
    "%G-%V-%u %H:%M": "%Y, %m and %d",
    "%Y-%U-%w %H:%M": "%Y, %m and %d",
    "%Y-%W %A %H:%M": "%Y, %m and %d",
    "%Y-%j-%d %H:%M": "%j",
    "%y-%m-%d %Y %H:%M": "%y and %Y",
    "%d-%b-%m-%Y %H": "%b and %m",
    "%Y-%m-%d %H:%M:%S %Y": "2 times",
    "%d.%d.%Y %H:%M": "2 times",
    "%Y%m%d%f%H%M%S": "%f",
    "%Y-%m-%d %H:%M:%S %": "%%",
    "yyyy-MM-dd HH:mm:ss": "%Y-%m-%d %H:%M:%S",
    "dd.MM.yyyy HH:mm:ss.SSS": "%d.%m.%Y %H:%M:%S.%f",
    "M/d/yyyy h:mm:ss tt": "%m/%d/%Y %I:%M:%S %p",
    "yyyy-MM-dd'T'HH:mm:ssXXX": "%Y-%m-%dT%H:%M:%S%z",
    "dd.mm.yyyy hh:mm:ss": "%d.%m.%Y %H:%M:%S",
    "dd-MMM-yy HH:mm:ss": "%d-%b-%y %H:%M:%S",
    "YYYY-MM-DD HH24:MI:SS": "%d.%m.%Y",
    "%Y-%m-%dT%H:%M:%S+00:00": "%z",
    "%Y-%m-%d %H:%M:%S +0300": "%z",
    "%Y-%m-%dT%H:%M:%S.000Z": ".%f%z",
    "%d.%m.%Y %H:%M:%S CET": "%Z",
    "%a %b %d %H:%M:%S EST %Y": "%Z",
    "%a %b %d %H:%M:%S UTC %Y": "%Z",
    "%Y-%m-%d %H:%M:%S (UTC)": "%Z",
    "[%d.%m.%Y %H:%M:%S GMT]": "%Z",
    "%Y-%m-%dT%H:%M:%S'Z'": "%Z",
    "%Y-%m-%d %H:%M:%S (CET)": "%Z",
    "%Y-%m-%d %H:%M:%S EST,": "%Z",
    "%Y-%m-%d %H:%M:%S UTC+1": "%z",
    "%Y-%m-%d %H:%M:%S GMT-03:00": "%z",
    "%Y-%m-%d %H:%M:%S +03": "%z",
    "%Y-%m-%dT%H:%M:%S-5": "%z",
    "%Y-%m-%d %H:%M:%S (+3:00)": "%z",
    "%d.%m.%Y %H:%M:%S AM": "%p",
    "%d.%m.%Y %H:%M p.m.": "%p",
    "ISO8601": "%d.%m.%Y",
    "05:00": "%d.%m.%Y",
    "": "%d.%m.%Y",
}
ACCEPTED = [
    *("%d.%m.%Y %H:%M:%S", "%d.%m.%y %H:%M", "%Y%m%d%H%M%S", "%Y%m%dT%H%M%S%z", "%m/%d/%Y %I:%M:%S %p", "%d.%m.%Y %H"),
    *("%a %b %d %H:%M:%S %Z %Y", "%Y-%m-%d %H:%M:%S.%f", "%Y-%j %H:%M", "%I %p %d %B %Y", "%Y-%m-%dT%H:%M:%SZ"),
    *("%d-%b-%y %H:%M:%S", "%H:%M:%S %d/%m/%Y", "%Y-%m-%d %H:%M:%S%z", "100%% %Y-%m-%d %H:%M", "%d.%m.%Y %H:%M:%S Uhr"),
    *("PLC-1 %Y-%m-%d %H:%M:%S", "[%Y-%m-%d %H:%M:%S]", "%Y-%m-%d %H:%M:%S (%Z)", "%Y-%m-%d %H:%M:%S.000"),
    *("%Y-%m-%d %H:%M:%S UTC%z", "%H:%M:%S-%d.%m.%Y", "am %d.%m.%Y um %H:%M"),
]


@pytest.mark.parametrize("format", REFUSED)
def test_a_format_that_determines_no_instant_is_refused_with_what_to_write(format):
    messages = list(problems(format))
    assert any(REFUSED[format] in message for message in messages), messages
    with pytest.raises(ValueError, match="format"):
        compile_instant(format=format)
    for of_file in (True, False):
        mapping = ReadingsMapping.model_validate({"tag": {"path": "tag"}, "ts": {"path": "ts", "format": format}})
        paths = [path for path, _ in check_mapping(mapping, of_file=of_file)]
        assert paths and set(paths) == {("ts", "format")}


@pytest.mark.parametrize("format", ACCEPTED)
def test_a_format_that_determines_an_instant_is_accepted(format):
    assert list(problems(format)) == []
    compile_instant(format=format)


# -- one text, one instant -------------------------------------------------------------------------------

DAY = datetime(2026, 1, 13, 17, 4, 5, 250_000)
"""A Tuesday."""
TEXTS = {  # format -> text of DAY
    "%d.%m.%Y %H:%M:%S": "13.1.2026 17:4:5",
    "%d.%m.%Y %H:%M:%S,%f": "13.01.2026 17:04:05,2500000",
    "%m/%d/%Y %I:%M:%S %p": "1/13/2026 5:04:05 PM",
    "%m/%d/%Y %I:%M:%S.%f %p": "01/13/2026 05:04:05.250 p.m.",
    "%Y%m%d%H%M%S%f": "20260113170405250",
    "%Y-%j %H:%M:%S": "2026-013 17:04:05",
    "%y%m%d %H%M%S": "260113 170405",
    "%d-%b-%y %H:%M:%S": "13-Jan-26 17:04:05",
    "%d %B %Y %H:%M:%S": "13 january 2026 17:04:05",
    "%a %b %d %H:%M:%S %Y": "Tue Jan  13 17:04:05 2026",
    "%H:%M:%S %d/%m/%Y": "17:04:05 13/01/2026",
    "%Y-%m-%dT%H:%M:%S": "2026-01-13t17:04:05",
}
NOT_OF_FORMAT = {
    "%d.%m.%Y %H:%M:%S": [
        "31.02.2026 00:00:00",
        "13.01.2026 24:00:01",
        "13.13.2026 17:04:05",
        "13.01.26 17:04:05",
        "soon",
    ],
    "%m/%d/%Y %I:%M:%S %p": ["01/13/2026 13:04:05 PM", "01/13/2026 00:04:05 AM", "01/13/2026 05:04:05"],
    "%Y%m%d%H%M%S": ["202611317455", "2026011317040", "202601131704050"],
    "%a %b %d %H:%M:%S %Y": ["Wed Jan 13 17:04:05 2026", "Tue Foo 13 17:04:05 2026"],
    "%Y-%j %H:%M:%S": ["2026-366 00:00:00", "2026-000 00:00:00", "9999-366 00:00:00", "0001-000 00:00:00"],
    "%d.%m.%Y %H:%M": ["13.01.2026 17:04:05", "13.01.2026 17", "13.01.2026 :"],
    "%Y-%m-%d %H:%M:%S.%f": ["2026-01-13 17:04:05", "2026-01-13 17:04:05."],
}
ZONES = ["UTC", "Europe/Berlin", "Europe/Istanbul", "America/St_Johns", "Australia/Lord_Howe"]


def readers(format: str | None, zone: str, unit: str = "iso"):
    scalar, columns = compile_instant(unit, format, zone), Instants(unit, format, zone)

    def of_one(text: str) -> int | None:
        try:
            return scalar(text)
        except ValueError:
            return None

    def of_import(text: str) -> int | None:
        ts, read = columns.of_texts(pa.array([text] * FEWEST, pa.string()))
        assert len(set(ts)) == len(set(read)) == 1
        return int(ts[0]) if read[0] else None

    def of_stream(text: str) -> int | None:
        ts, read = columns.of_members([text] * FEWEST)
        return int(ts[0]) if read[0] else None

    return of_one, of_import, of_stream


def in_ms(instant: datetime) -> int:
    return (instant.astimezone(timezone.utc) - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("format", TEXTS)
def test_a_text_is_read_as_the_calendar_says(format, zone):
    expected = in_ms((DAY if "%f" in format else DAY.replace(microsecond=0)).replace(tzinfo=ZoneInfo(zone)))
    assert [read(TEXTS[format]) for read in readers(format, zone)] == [expected] * 3


@pytest.mark.parametrize("format", NOT_OF_FORMAT)
def test_a_text_that_does_not_match_its_format_is_refused(format):
    for text in NOT_OF_FORMAT[format]:
        assert [read(text) for read in readers(format, "UTC")] == [None] * 3, text


def test_a_text_that_ends_after_its_date_is_midnight_if_the_time_comes_last():
    for format, text in (("%d.%m.%Y %H:%M:%S", "13.01.2026"), ("%m/%d/%Y %I:%M:%S %p", "1/13/2026")):
        expected = in_ms(datetime(2026, 1, 13, tzinfo=ZoneInfo("Europe/Berlin")))
        assert [read(text) for read in readers(format, "Europe/Berlin")] == [expected] * 3
    for format, text in (
        ("%H:%M %d.%m.%Y", "13.01.2026"),
        ("%d.%m.%Y %H:%M %z", "13.01.2026"),
        ("%Y%m%d%H%M", "20260113"),
    ):
        assert [read(text) for read in readers(format, "UTC")] == [None] * 3


# -- zones -----------------------------------------------------------------------------------------------

FORMAT = "%Y-%m-%d %H:%M:%S %Z"
NAMED = [  # zone, text, offset in hours or None if it is refused
    *(("Europe/Istanbul", f"2026-01-13 05:00:00 {word}", 0) for word in ("UTC", "GMT", "Z", "utc")),
    ("Europe/Istanbul", "2026-01-13 05:00:00 +03", 3),
    ("Europe/Istanbul", "2026-01-13 05:00:00 TRT", None),
    ("Europe/Istanbul", "2026-01-13 05:00:00 EET", None),
    ("Europe/Berlin", "2026-01-13 05:00:00 CET", 1),
    ("Europe/Berlin", "2026-07-13 05:00:00 CEST", 2),
    ("Europe/Berlin", "2026-07-13 05:00:00 CET", 1),
    ("Europe/Berlin", "2026-10-25 02:30:00 CEST", 2),
    ("Europe/Berlin", "2026-10-25 02:30:00 CET", 1),
    ("Europe/Berlin", "2026-01-13 05:00:00 EST", None),
    ("Europe/Berlin", "2026-10-25 02:30:00 MESZ", 2),
    ("Europe/Berlin", "2026-10-25 02:30:00 MEZ", 1),
    ("America/New_York", "2026-01-13 05:00:00 MEZ", None),
    ("Europe/London", "2026-07-13 05:00:00 BST", 1),
    ("Europe/London", "2026-07-13 05:00:00 GMT", 0),
    ("America/New_York", "2026-01-13 05:00:00 EST", -5),
    ("America/New_York", "2026-07-13 05:00:00 EDT", -4),
    ("America/New_York", "2026-01-13 05:00:00 CST", None),
    ("Asia/Shanghai", "2026-01-13 05:00:00 CST", 8),
    ("UTC", "2026-01-13 05:00:00 CET", None),
    ("UTC", "2026-01-13 05:00:00 UTC", 0),
]


def test_an_abbreviation_is_read_in_the_mappings_zone_not_the_machines(monkeypatch):
    try:
        for machine in ("UTC", "Europe/Berlin", "America/New_York", "EST5EDT", "Asia/Shanghai", "XYZ-7"):
            monkeypatch.setenv("TZ", machine)
            time.tzset()
            for zone, text, hours in NAMED:
                wall = datetime.strptime(text[:19], "%Y-%m-%d %H:%M:%S")
                expected = None if hours is None else in_ms(wall.replace(tzinfo=timezone(timedelta(hours=hours))))
                assert [read(text) for read in readers(FORMAT, zone)] == [expected] * 3, (machine, zone, text)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_literal_utc_at_the_end_is_utc():
    expected = in_ms(datetime(2026, 1, 13, 5, tzinfo=timezone.utc))
    for format, text in (
        ("%Y-%m-%dT%H:%M:%SZ", "2026-01-13T05:00:00Z"),
        ("%d.%m.%Y %H:%M:%S UTC", "13.1.2026 5:00:00 UTC"),
        ("%d.%m.%Y %H:%M:%S GMT", "13.01.2026 05:00:00 GMT"),
    ):
        assert [read(text) for read in readers(format, "Europe/Istanbul")] == [expected] * 3
    javascript = "%a %b %d %Y %H:%M:%S GMT%z (Coordinated Universal Time)"
    text = "Tue Jan 13 2026 05:00:00 GMT+0000 (Coordinated Universal Time)"
    assert [read(text) for read in readers(javascript, "Europe/Istanbul")] == [expected] * 3


def test_files_next_to_the_zones_are_not_zones():
    for name in ("localtime", "posixrules"):
        with pytest.raises(ValueError, match="is not a time zone"):
            compile_instant(timezone=name)


@pytest.mark.slow
@settings(deadline=None)
@given(
    wall=st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)),
    zone=st.sampled_from(ZONES),
    format=st.sampled_from(["%Y-%m-%d %H:%M:%S.%f", "%m/%d/%y %I:%M:%S.%f %p", "%j/%Y %H%M%S%f"]),
)
def test_every_reader_agrees_with_the_calendar(wall, zone, format):
    if "%y" in format and not 1990 <= wall.year <= 2068:
        wall = wall.replace(year=2026, day=min(wall.day, 28))
    early, late = (wall.replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1))
    expected = in_ms(early) if early.utcoffset() == late.utcoffset() else None
    assert [read(wall.strftime(format)) for read in readers(format, zone)] == [expected] * 3


# -- names and numbers -----------------------------------------------------------------------------------


def test_no_name_means_two_months():
    names = Counter(name for names in _MONTHS for name in {key(word) for word in names.split()})
    assert set(names.values()) == {1}
    assert all(key(name) == name for name in MONTHS)


@pytest.mark.parametrize(
    ("name", "month"),
    [("Oca", 1), ("OCAK", 1), ("Şub", 2), ("subat", 2), ("März", 3), ("mai", 5), ("févr.", 2), ("Ağu", 8),
     ("ARALIK", 12), ("KASIM", 11), ("gen", 1), ("Dez", 12), ("ene", 1), ("out", 10), ("paź", 10), ("EKİ", 10)],
)  # fmt: skip
def test_months_of_other_languages_are_known(name, month):
    expected = in_ms(datetime(2026, month, 13, 5, tzinfo=timezone.utc))
    assert compile_instant(format="%d-%b-%Y %H:%M:%S")(f"13-{name}-2026 05:00:00") == expected


def test_no_locale_changes_what_is_read():
    code = (
        "import locale; locale.setlocale(locale.LC_ALL, '')\n"
        "from eugenie_cli.readings.timestamps import compile_instant\n"
        "print(compile_instant(format='%d %b %Y %I:%M %p')('13 Mar 2026 5:00 PM'))"
    )
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "Asia/Kolkata"}
    shown = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert int(shown.stdout) == in_ms(datetime(2026, 3, 13, 17, tzinfo=timezone.utc))


def test_serial_days_of_a_spreadsheet():
    five = in_ms(datetime(2026, 1, 13, 5, tzinfo=ZoneInfo("Europe/Berlin")))
    expected = {
        "46035.2083333333": five,
        "46035,2083449074": five + 1_000,
        "46035": five - 5 * 3_600_000,
        "46035.5": None,
    }
    expected["46035.5"] = five + 7 * 3_600_000
    expected |= dict.fromkeys(["25568.9", "2958466", "soon", "-1", "1768280400"])
    for text, instant in expected.items():
        assert [read(text) for read in readers(None, "Europe/Berlin", "excel")] == [instant] * 3, text


def test_a_number_in_another_unit_is_refused_with_the_likely_unit():
    with pytest.raises(ValueError, match="with `unit: ms` it would be 2026-01-13T05:00:00Z"):
        compile_instant("s")("1768280400000")
    with pytest.raises(ValueError, match="a number: with `unit: s` it would be 2026-01-13T05:00:00Z"):
        compile_instant()("1768280400")
    with pytest.raises(ValueError, match="a number: with `unit: excel` it would be 2026-01-13"):
        compile_instant()("46035.2083333333")
    with pytest.raises(ValueError, match="with `unit: ns` it would be 2026-01-13T05:00:00Z"):
        compile_instant("us")("1768280400000000000")


@pytest.mark.parametrize("text", ["-1,0", "-1.0", "1e17"])
def test_an_epoch_out_of_range_is_refused_in_words_whatever_its_decimal_sign(text):
    with pytest.raises(ValueError, match="is before 1970 or after 9999"):
        compile_instant("s")(text)
