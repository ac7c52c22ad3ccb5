"""History from a real InfluxDB, to the last reading, whatever is wrong with the server or the settings."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from support.debian_packages import Unavailable
from support.influx_server import InfluxServer, influx_package

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.site_history import open_history
from eugenie_cli.site.source_windows import PaceSettings
from eugenie_cli.sources.importing import import_sources

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

START = 1_767_225_600_000
DAY = 86_400_000
ROWS = 20_000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Two pumps, 20,000 points in two days; a state and a quality now and then."""
    try:
        package = influx_package(tmp_path_factory.mktemp("package") / "influxdb")
    except Unavailable as why:
        pytest.skip(str(why))
    running = InfluxServer(package, tmp_path_factory.mktemp("influx"), most=30_000)
    step = 2 * DAY // ROWS
    for asset in ("p-1", "p-2"):
        for begin in range(0, ROWS, 5_000):
            running.write(
                [
                    f"pumps,unit={asset},area=a\\ b pressure={number}.5,flow={number}i,running={number % 2 == 0}"
                    f" {(START + number * step) * 1_000_000}"
                    for number in range(begin, begin + 5_000)
                ]
            )
    running.write([f'valves,unit=p-1 pressure="OPEN",Quality="Bad" {START * 1_000_000 + 1_500_000_000}'])
    yield running
    running.kill()


def site_of(site_factory, server, name, **more):
    source = {
        "name": "s",
        "type": "influxdb",
        "url": server.url,
        "database": "plant",
        "username": "reader",
        "password": "word",
        "measurements": ["pumps"],
        "start": "2026-01-01T00:00:00Z",
        "pace": {"retries": 0, "timeout": "30s"},
        "readings": {"asset": {"path": "unit"}, "sensor": {"path": "field"}},
        **more,
    }
    sensors = [{"name": "pressure"}, {"name": "flow"}, {"name": "running"}]
    assets = {"p-1": {"class": "pump"}, "p-2": {"class": "pump"}}
    return site_factory(name, sources=[source], classes={"pump": {"sensors": sensors}}, assets=assets)


def held(site, asset):
    read = open_history(site).read(asset)
    return {name: read.value[read.sensor == index] for index, name in enumerate(read.names)}, read


def test_every_value_is_imported_however_often_the_server_limits_a_query(site_factory, server):
    site = site_of(site_factory, server, "influx-field")
    (report,) = import_sources(site)
    assert (report.readings, report.failed, report.rejected) == (6 * ROWS, [], {})
    for asset in ("p-1", "p-2"):
        values, read = held(site, asset)
        np.testing.assert_array_equal(values["flow"], np.arange(ROWS))
        np.testing.assert_array_equal(values["pressure"], np.arange(ROWS) + 0.5)
        np.testing.assert_array_equal(values["running"], np.arange(ROWS) % 2 == 0)
        assert (read.ts.min(), read.ts.max()) == (START, START + (ROWS - 1) * (2 * DAY // ROWS))


def test_points_are_records_with_a_column_for_each_field(site_factory, server):
    site = site_of(
        site_factory,
        server,
        "influx-point",
        measurements=["valves"],
        records="point",
        readings={
            "shape": "wide",
            "asset": {"path": "unit"},
            "quality": {"path": "Quality"},
            "value": {"status": ["OPEN"]},
            "ignore": ["measurement", "area"],
        },
    )
    (report,) = import_sources(site)
    assert (report.readings, report.bad_quality, report.failed) == (1, 1, [])
    assert held(site, "p-1")[1].ts.tolist() == [START + 1_500]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"password": "wrong"}, ["refuses the user name, password or token", "correct the source's credentials"]),
        ({"database": "nothing"}, ["does not let this user read", "READ on nothing", "let the user read"]),
        ({"measurements": ["pump"]}, ["has no measurement 'pump'", "it has: pumps, valves"]),
        ({"fields": ["Flow"]}, ["has no field 'Flow'", "it has: flow, pressure, running"]),
        ({"url": "http://127.0.0.1:1"}, ["cannot be reached", "check `url`"]),
        ({"policy": "forever"}, ["forever", "correct `database` or `policy`"]),
    ],
)
def test_a_wrong_setting_is_named(site_factory, server, changed, words):
    site = site_of(site_factory, server, "influx-wrong", **changed)
    with pytest.raises(EugenieError) as caught:
        import_sources(site)
    assert all(word in f"{caught.value.reason} {caught.value.hint}" for word in words), caught.value.reason


def test_a_server_that_is_killed_in_the_middle_costs_nothing(site_factory, server):
    site = site_of(site_factory, server, "influx-killed", pace={"retries": 0, "calls_per_second": 10})
    killer = threading.Timer(0.6, server.kill)  # after about six queries; the first two days take more
    killer.start()
    (report,) = import_sources(site)
    killer.join()
    assert report.failed and report.unread and report.readings < 6 * ROWS
    server.start()
    (source,) = site.sources
    site = site.model_copy(update={"sources": (source.model_copy(update={"pace": PaceSettings(retries=9)}),)})
    (report,) = import_sources(site)  # the server may still be loading: queries are repeated
    assert (report.readings, report.failed, report.unread) == (6 * ROWS, [], 0)
    np.testing.assert_array_equal(held(site, "p-2")[0]["flow"], np.arange(ROWS))
