"""InfluxDB 3 by SQL over Arrow Flight, with a stand-in: to the last value, and what is wrong in words."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError
from support.flight_influx import TOKEN, flight_influx
from support.history_sites import pump_site

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.site_history import open_history
from eugenie_cli.sources.importing import browse_source, import_sources
from eugenie_cli.sources.windows.browsing import Browsed

pytestmark = pytest.mark.slow

START, COUNT, STEP = 1_767_225_600_000, 2_000, 61_001
UNITS = ["p1", "p2"]


def points(**fields):
    """A point of each unit every STEP ms; times in ns."""
    times = np.repeat(START * 1_000_000 + np.arange(COUNT) * (STEP * 1_000_000 + 7), 2)
    tag = pa.array(UNITS * COUNT).dictionary_encode()
    numbers = np.repeat(np.arange(COUNT), 2)
    return pa.table(
        {"time": pa.array(times, pa.timestamp("ns")), "unit": tag, **{k: f(numbers) for k, f in fields.items()}}
    )


PUMPS = points(
    flow=lambda n: pa.array(n * 0.5, mask=n % 7 == 0),
    pressure=lambda n: pa.array(n % 10, pa.int64()),
    state=lambda n: pa.array(["ok"] * len(n)),
)


WIDE = {"records": "point", "readings": {"shape": "wide", "asset": {"path": "unit"}, "ignore": ["measurement"]}}


@pytest.fixture(scope="module")
def server():
    with flight_influx({"pumps": PUMPS}) as running:
        yield running


def site_of(folder, address, **more):
    source = {
        **{"name": "s", "type": "influxdb", "version": 3, "url": address, "database": "plant", "token": TOKEN},
        **{"measurements": ["pumps"], "fields": ["flow", "pressure"], "start": "2026-01-01T00:00:00Z", "window": "31d"},
        "pace": {"retries": 0},
        "readings": {"asset": {"path": "unit"}, "sensor": {"path": "field"}},
        **more,
    }
    return pump_site(folder, [source])


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    from types import SimpleNamespace

    now = SimpleNamespace(time_ns=lambda: (START + 3 * 86_400_000) * 1_000_000)
    monkeypatch.setattr("eugenie_cli.sources.windows.importer.time", now)


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [{}, WIDE],
    ids=["field", "point"],
)
def test_every_value_is_imported(server, tmp_path, more):
    (report,) = import_sources(site := site_of(tmp_path, server[1], **more))
    assert (report.failed, report.rejected) == ([], {})
    for asset in UNITS:
        read = open_history(site).read(asset)
        own = {name: read.sensor == number for number, name in enumerate(read.names)}
        kept = (np.arange(COUNT) % 7 != 0) | ("records" in more)  # of a point, an empty cell is bad quality
        instants = START + (np.arange(COUNT) * (STEP * 1_000_000 + 7)) // 1_000_000
        assert read.ts[own["flow"]].tolist() == instants[kept].tolist()
        flow = np.where(np.arange(COUNT) % 7 == 0, np.nan, np.arange(COUNT) * 0.5)
        np.testing.assert_array_equal(read.value[own["flow"]], flow[kept])
        assert read.value[own["pressure"]].tolist() == (np.arange(COUNT) % 10).tolist()


@pytest.mark.slow
def test_a_span_with_too_many_points_is_halved(server, tmp_path, monkeypatch):
    monkeypatch.setattr("eugenie_cli.sources.influxdb.flight.ROWS_AT_ONCE", 900)
    (report,) = import_sources(site_of(tmp_path, server[1]))
    kept = 2 * (COUNT - len(range(0, COUNT, 7)) + COUNT)
    assert (report.readings, report.failed) == (kept, [])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"token": "wrong-token"}, ["refuses the token", "correct `token`"]),
        ({"database": "plants"}, ["database not found: plants"]),
        ({"measurements": ["pump"]}, ["has no measurement 'pump' (did you mean pumps?)", "it has: pumps"]),
        ({"fields": ["Flow"]}, ["has no field 'Flow' (did you mean flow?)"]),
        ({"url": "http://127.0.0.1:1"}, ["http://127.0.0.1:1 cannot be reached", "check `url`"]),
        ({"ca": "nowhere.pem", "url": "https://127.0.0.1:1"}, ["nowhere.pem"]),
    ],
)
def test_what_is_wrong_is_named(server, tmp_path, changed, words):
    with pytest.raises(EugenieError) as caught:
        import_sources(site_of(tmp_path, server[1], **changed))
    said = f"{caught.value.reason} {caught.value.hint}"
    assert all(word in said for word in words), said
    assert TOKEN not in said and "wrong-token" not in said


@pytest.mark.parametrize("more", [{}, WIDE], ids=["field", "point"])
def test_series_are_listed(server, tmp_path, more):
    found = browse_source(site_of(tmp_path, server[1], **more), "s", "pumps flow *")
    last = START + ((COUNT - 1) * (STEP * 1_000_000 + 7)) // 1_000_000
    count = COUNT - len(range(0, COUNT, 7))
    assert found == [
        Browsed(f"pumps flow unit={unit}", f"{unit}, flow", None, count, START + STEP, last) for unit in UNITS
    ]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"policy": "year"}, "no retention policies"),
        ({"token": None, "username": "u"}, "takes a `token`"),
        ({"url": "http://influx:8o86"}, "not an address"),
        ({"token": None, "version": 1, "password": "word"}, "`password` requires `username`"),
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path, changed, words):
    with pytest.raises(ValidationError, match=words):
        site_of(tmp_path, "http://127.0.0.1:1", **changed)
