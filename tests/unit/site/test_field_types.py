"""Durations, instants, time zones."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eugenie_cli.site.field_types import localize, parse_duration, parse_instant, show_duration, to_ms

BERLIN = ZoneInfo("Europe/Berlin")


@given(st.integers(0, 10**12))
def test_a_shown_duration_is_read_back(milliseconds):
    assert parse_duration(show_duration(milliseconds)) == milliseconds


@pytest.mark.parametrize("value", ["5", "5 parsecs", "", "-1s", "0.5ms", 5, None])
def test_a_duration_without_a_unit_is_refused(value):
    with pytest.raises(ValueError, match="duration"):
        parse_duration(value)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)), st.integers(-720, 720))
def test_an_instant_has_the_same_number_with_any_offset(instant, minutes):
    utc = instant.replace(tzinfo=timezone.utc)
    elsewhere = utc.astimezone(timezone(timedelta(minutes=minutes)))
    assert to_ms(parse_instant(elsewhere.isoformat())) == to_ms(utc)


@pytest.mark.parametrize("fraction", [".5", ".25", ".1234567", ".123456789"])
def test_fractions_of_any_length_are_read(fraction):
    instant = parse_instant(f"2026-01-03T06:00:00{fraction}Z")
    assert to_ms(instant) % 1000 == int(float(f"0{fraction}") * 1000)


def test_a_local_time_gets_the_zone_and_a_time_with_an_offset_keeps_it():
    assert localize(datetime(2026, 7, 1, 12), BERLIN).isoformat() == "2026-07-01T12:00:00+02:00"
    assert localize(datetime(2026, 7, 1, 12, tzinfo=timezone.utc), BERLIN).isoformat() == "2026-07-01T12:00:00+00:00"


@pytest.mark.parametrize(
    ("local", "why"),
    [(datetime(2026, 3, 29, 2, 30), "does not exist"), (datetime(2026, 10, 25, 2, 30), "occurs twice")],
)
def test_ambiguous_local_times_around_a_clock_change_are_refused(local, why):
    with pytest.raises(ValueError, match=why):
        localize(local, BERLIN)
