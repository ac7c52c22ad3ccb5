"""Imports in windows of time: whatever arrives late, fails or is interrupted, the history becomes the source's."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from datetime import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from support import window_record
from support.history_sites import pump_site
from support.window_record import MODULE, START, Record

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.site_history import open_history
from eugenie_cli.site.source_windows import PaceSettings, within
from eugenie_cli.sources.failures import SourceDownError, TooMuchError, TransientError
from eugenie_cli.sources.importing import import_sources
from eugenie_cli.sources.windows.pace import Pace
from eugenie_cli.sources.windows.plan import span_key, span_of
from eugenie_cli.sources.windows.reader import Span

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


@pytest.fixture
def record(package, monkeypatch):
    """What the source of `site_of` holds."""
    package(MODULE)
    monkeypatch.setattr("eugenie_cli.sources.windows.pace.FIRST_PAUSE_S", 0.0)
    fresh = Record(now_ms=START)
    monkeypatch.setattr(window_record, "RECORD", fresh)
    return fresh


def site_of(folder, **more):
    return pump_site(folder, [{"name": "s", "type": "odd", "start": "2026-01-01T00:00:00Z", **more}])


def held(site):
    read = open_history(site).read("p1")
    return list(zip(read.ts.tolist(), read.value.tolist(), strict=True))


def every(minutes, until_ms, delay_ms=0):
    return [
        (ts + delay_ms, ts, float(number)) for number, ts in enumerate(range(START, until_ms, int(minutes * MINUTE)))
    ]


ARRIVALS = st.lists(
    st.tuples(st.integers(0, 5 * DAY), st.integers(0, 2 * HOUR), st.integers(0, 9)),
    max_size=30,
    unique_by=lambda r: r[0],
)
"""(instant after START, delay, value)"""


FAILURES = st.sampled_from(
    [TransientError("lost"), TooMuchError("too long"), SourceDownError("down"), EugenieError("odd"), None]
)


@pytest.mark.slow
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    arrivals=ARRIVALS,
    imports=st.lists(st.tuples(st.integers(1, 6 * DAY), FAILURES), max_size=4),
    width=st.sampled_from(["7h", "1d"]),
)
def test_history_becomes_what_the_source_holds(record, tmp_path_factory, arrivals, imports, width):
    site = site_of(tmp_path_factory.mktemp("site"), window=width, settle="2h", pace={"retries": 1})
    record.readings = [(START + ts + delay, START + ts, float(value)) for ts, delay, value in arrivals]
    for after, failure in sorted(imports, key=lambda entry: entry[0]):
        record.now_ms, record.raises = START + after, [failure] if failure else []
        with suppress(EugenieError):  # if nothing at all could be read
            import_sources(site)
    record.now_ms, record.raises = START + 6 * DAY, []
    import_sources(site)
    assert held(site) == sorted((ts, value) for _, ts, value in record.readings)


def test_a_settled_window_is_never_read_again(record, tmp_path):
    site = site_of(tmp_path, window="1d", settle="1h")
    record.readings = every(60, START + 3 * DAY)
    record.now_ms = START + 2 * DAY + 30 * MINUTE
    (first,) = import_sources(site)
    assert (first.new, first.readings) == (3, 49)
    record.now_ms, record.spans = START + 2 * DAY + 2 * HOUR, []
    (second,) = import_sources(site)
    assert (second.changed, second.unchanged, second.readings) == (2, 1, 50)
    assert min(span.start_ms for span in record.spans) == START + DAY
    record.now_ms, record.spans = START + 10 * DAY, []
    (third,) = import_sources(site)
    assert (third.new, third.changed, third.unchanged) == (7, 1, 2)
    assert not third.poor, "a window without records is normal"


def test_the_widths_of_spans_follow_what_the_source_bears(record, tmp_path):
    record.readings, record.most, record.now_ms = every(1, START + DAY), 100, START + DAY
    site = site_of(tmp_path)
    (report,) = import_sources(site)
    assert (report.readings, report.failed) == (1440, [])
    (item,) = open_history(site).items("s").values()
    assert item.state["records"] == 1440, "an attempt that fails counts nothing"


def test_a_span_that_cannot_be_halved_any_more_fails_its_window_and_no_other(record, tmp_path):
    record.most, record.now_ms = 5, START + 2 * DAY
    record.readings = [(0, START + DAY, float(number)) for number in range(6)] + every(60, START + DAY)
    (report,) = import_sources(site_of(tmp_path))
    assert (report.new, report.readings) == (1, 24)
    assert report.failed == [
        "over 5 readings, in 2026-01-02T00:00:00Z/2026-01-02T00:00:01Z, even for 1 s (next: allow more)"
    ]


@pytest.mark.parametrize(
    ("failure", "queries"),
    [(TransientError("connection lost", "start it"), 3), (SourceDownError("wrong password", "set it"), 1)],
)
def test_a_source_that_is_down_ends_its_import_and_what_was_read_is_kept(record, tmp_path, failure, queries):
    site = site_of(tmp_path, pace={"retries": 2})
    record.readings, record.now_ms = every(60, START + DAY), START + DAY
    import_sources(site)
    record.now_ms, record.spans, record.raises = START + 10 * DAY, [], [failure] * queries
    with pytest.raises(EugenieError, match=f"{failure.reason}.*; history keeps the 24 readings"):
        import_sources(site)
    assert len(record.spans) == queries and record.closed == 2
    record.raises = [None] * 5 + [failure] * 3  # spans of 1, 2, 4, 8 and 9 h
    (report,) = import_sources(site)
    assert (report.changed, report.new, len(report.failed)) == (1, 0, 1)
    assert (report.unread, report.stopped, report.readings) == (8, "the source could not be used", 24)
    assert len(held(site)) == 24


def test_what_a_source_has_forgotten_stays_in_the_history(record, tmp_path):
    site = site_of(tmp_path, start="2d", settle="12h")
    record.readings = every(60, START + DAY)
    record.now_ms = START + DAY + HOUR
    import_sources(site)
    record.now_ms, record.forgotten = START + 9 * DAY, START + 8 * DAY
    (report,) = import_sources(site, again=True)
    assert report.readings == 24 and not report.left
    assert len(held(site)) == 24


def test_a_window_that_has_no_records_any_more_keeps_its_readings_and_is_named(record, tmp_path, monkeypatch):
    site = site_of(tmp_path)
    record.readings, record.now_ms = every(60, START + DAY), START + 2 * DAY
    import_sources(site)
    record.readings = []
    monkeypatch.setattr(Record, "read", lambda *_: iter(()))
    (report,) = import_sources(site, again=True)
    assert "2026-01-01T00:00:00Z/2026-01-02T00:00:00Z: the source has no records any more; history keeps" in str(
        report.failed
    )
    assert len(held(site)) == 24


def test_an_interrupt_ends_at_a_span_and_keeps_everything(record, tmp_path):
    site = site_of(tmp_path)
    record.readings, record.now_ms = every(1, START + 3 * DAY), START + 3 * DAY

    class Interrupting(list):
        def append(self, span):
            super().append(span)
            if len(self) == 3:
                os.kill(os.getpid(), signal.SIGINT)

    record.spans = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        import_sources(site)
    assert held(site)[-1][0] == record.spans[-1].end_ms - MINUTE
    record.spans = []
    import_sources(site)
    assert held(site) == [(ts, value) for _, ts, value in record.readings]


@pytest.mark.parametrize("reached", [2, 4])
def test_an_interrupt_loses_nothing_that_was_imported_before(record, tmp_path, reached):
    site = site_of(tmp_path)
    record.readings, record.now_ms = every(60, START + 12 * HOUR), START + 12 * HOUR
    import_sources(site)
    record.readings = [(arrived, ts, value + 0.5) for arrived, ts, value in every(60, START + DAY)]
    record.now_ms = START + DAY

    class Interrupting(list):
        def append(self, span):
            super().append(span)
            if len(self) == reached:
                os.kill(os.getpid(), signal.SIGINT)

    record.spans = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        import_sources(site)
    assert record.spans[-1].end_ms < START + DAY
    assert [ts for ts, _ in held(site)][:12] == [START + number * HOUR for number in range(12)]
    record.spans, record.now_ms = [], START + DAY + 1
    import_sources(site)
    assert held(site) == [(ts, value) for _, ts, value in record.readings]


def test_a_clock_that_goes_back_loses_nothing(record, tmp_path):
    site = site_of(tmp_path)
    record.readings = [(0, ts, value) for _, ts, value in every(60, START + 2 * DAY)]
    for now_ms, known in [(12 * HOUR, 12), (6 * HOUR, 12), (5 * HOUR, 12), (20 * HOUR, 20), (2 * DAY, 48)]:
        record.now_ms = START + now_ms
        import_sources(site)
        assert len(held(site)) == known


def test_a_clock_that_was_ahead_does_not_settle_what_had_not_come(record, tmp_path):
    site = site_of(tmp_path, settle="1h")
    imports = [(9 * DAY, DAY), (DAY + HOUR, DAY), (5 * DAY, 5 * DAY), (12 * DAY, 5 * DAY + 12 * HOUR)]
    for now_ms, until_ms in imports:
        record.now_ms = START + now_ms
        record.readings = [(0, ts, value) for _, ts, value in every(60, START + until_ms)]
        import_sources(site)
    assert held(site) == [(ts, value) for _, ts, value in record.readings]
    record.spans = []
    import_sources(site)
    assert not record.spans, "all windows have settled"


def test_outside_its_hours_nothing_is_read_and_nothing_is_wrong(record, tmp_path):
    record.readings, record.now_ms = every(60, START + DAY), START + 26 * HOUR  # 03:00 in Berlin
    (inside,) = import_sources(site_of(tmp_path / "in", daily="01:00-05:00"))
    (outside,) = import_sources(site_of(tmp_path / "out", daily="05:00-01:00"))
    assert (inside.readings, inside.unread) == (24, 0)
    assert (outside.readings, outside.unread, outside.whole) == (0, 2, True)
    assert outside.stopped == "it is outside the hours 05:00-01:00 of `daily`"


def test_a_source_without_any_reading_is_said(record, tmp_path):
    record.now_ms = START + DAY
    (report,) = import_sources(site_of(tmp_path))
    assert report.poor and not report.whole


@pytest.mark.parametrize(
    ("given_hours", "at", "inside"),
    [
        ("01:00-05:00", time(1), True),
        ("01:00-05:00", time(5), False),
        ("22:00-05:00", time(23), True),
        ("22:00-05:00", time(4, 59), True),
        ("22:00 - 05:00", time(12), False),
    ],
)
def test_hours(given_hours, at, inside):
    assert within(given_hours, at) is inside


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("daily", "1-5", "two times of day"),
        ("daily", "25:00-05:00", "two times of day"),
        ("daily", "05:00-05:00", "two different times"),
        ("window", "1s", "from 1m to 31d"),
        ("window", "90d", "from 1m to 31d"),
        ("start", "yesterday", "ISO 8601"),
        ("pace", {"retries": -1}, "greater than or equal to 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(record, tmp_path, setting, value, words):
    with pytest.raises(ValidationError, match=words):
        site_of(tmp_path, **{setting: value})


@given(
    st.integers(0, 10**12).map(lambda s: s * 1000 % (200 * 365 * DAY)), st.integers(1, 10**6).map(lambda s: s * 1000)
)
def test_a_key_is_its_span(start, width):
    assert span_of(span_key(start, width)) == Span(start, start + width)


@pytest.mark.parametrize("key", ["", "x.csv", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z/2026-01-01T00:00:00Z"])
def test_another_key_is_no_span(key):
    assert span_of(key) is None


def test_calls_keep_the_pace_and_their_order():
    now, pauses = [0.0], []

    def sleep(seconds):
        pauses.append(seconds)
        now[0] += seconds

    pace = Pace(PaceSettings(calls_per_second=4, in_flight=1), sleep, lambda: now[0])
    assert list(pace.each([lambda number=number: number for number in range(9)])) == list(range(9))
    np.testing.assert_allclose(pauses, [0.25] * 8)


def test_a_call_is_repeated_later_and_later():
    pauses: list[float] = []
    calls = iter([TransientError("a"), TransientError("b"), TransientError("c"), 7])

    def query():
        result = next(calls)
        if isinstance(result, Exception):
            raise result
        return result

    assert Pace(PaceSettings(retries=3), pauses.append).call(query) == 7
    assert [0.25 * 2**n <= pause <= 0.5 * 2**n for n, pause in enumerate(pauses)] == [True] * 3
