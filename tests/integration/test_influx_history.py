"""History from a real InfluxDB, to the last reading, whatever is wrong with the server or the settings."""

from __future__ import annotations

import numpy as np
import pytest
from support.debian_packages import Unavailable
from support.influx_server import InfluxServer, influx_package

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.site_history import open_history
from eugenie_cli.site.source_windows import PaceSettings
from eugenie_cli.sources.importing import browse_source, import_sources
from eugenie_cli.sources.influxdb.reader import InfluxReader
from eugenie_cli.sources.windows.browsing import Browsed

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


def test_series_are_listed(site_factory, server):
    site = site_of(site_factory, server, "influx-browsed", measurements=["pumps", "valves"])
    found = browse_source(site, "s", "pumps flow *")
    last = START + (ROWS - 1) * (2 * DAY // ROWS)
    assert found == [
        Browsed(f"pumps flow area=a b unit={asset}", f"{asset}, flow", None, ROWS, START, last)
        for asset in ("p-1", "p-2")
    ]
    assert [browsed.tag for browsed in browse_source(site, "s", "valves*")] == [
        "valves Quality unit=p-1",
        "valves pressure unit=p-1",
    ]


def test_a_field_whose_type_has_changed_loses_no_value(site_factory, server):
    """InfluxQL returns the values of one type only; the type of a field may change with each shard, here a week."""
    week = 7 * DAY
    written = ["4.5", '"OPEN"', "true", "7i"]
    points = [f"mixed,unit=p-1 pressure={value} {(START + n * week) * 1_000_000}" for n, value in enumerate(written)]
    server.write(points)
    mapping = {"asset": {"path": "unit"}, "sensor": {"path": "field"}, "value": {"map": {"OPEN": 9}}}
    site = site_of(site_factory, server, "influx-mixed", measurements=["mixed"], readings=mapping, window="31d")
    (report,) = import_sources(site)
    assert (report.failed, report.rejected) == ([], {})
    read = held(site, "p-1")[1]
    assert list(zip(read.ts.tolist(), read.value.tolist(), strict=True)) == [
        (START + n * week, value) for n, value in enumerate([4.5, 9.0, 1.0, 7.0])
    ]
    point = site_of(
        site_factory, server, "influx-mixed-point", measurements=["mixed"], records="point", readings=mapping
    )
    with pytest.raises(EugenieError, match="has values of several types of pressure"):
        import_sources(point)


def test_a_server_that_is_killed_in_the_middle_costs_nothing(site_factory, server):
    site = site_of(site_factory, server, "influx-killed", pace={"retries": 0})
    read = InfluxReader.read

    def killed_in_the_second_day(reader, span, tally, pace):
        if span.start_ms >= START + DAY and server.process.poll() is None:
            server.kill()
        yield from read(reader, span, tally, pace)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(InfluxReader, "read", killed_in_the_second_day)
        (report,) = import_sources(site)
    assert report.failed and report.unread and report.readings < 6 * ROWS
    server.start()
    (source,) = site.sources
    site = site.model_copy(update={"sources": (source.model_copy(update={"pace": PaceSettings(retries=9)}),)})
    (report,) = import_sources(site)  # the server may still be loading: queries are repeated
    assert (report.readings, report.failed, report.unread) == (6 * ROWS, [], 0)
    np.testing.assert_array_equal(held(site, "p-2")[0]["flow"], np.arange(ROWS))
