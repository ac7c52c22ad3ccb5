"""History through the PI Web API, with a stand-in: to the last value, its state and quality."""

from __future__ import annotations

import re

import numpy as np
import pytest
from pydantic import ValidationError
from support.history_sites import pump_site
from support.pi_web_api import Archive, serving

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.site_history import open_history
from eugenie_cli.sources.importing import browse_source, import_sources
from eugenie_cli.sources.windows.browsing import Browsed

pytestmark = pytest.mark.slow

START = 1_767_225_600_000
HOUR = 3_600_000
OPEN = {"Name": "OPEN", "Value": 1, "IsSystem": False}
CLOSED = {"Name": "CLOSED", "Value": 0, "IsSystem": False}
NO_DATA = {"Name": "No Data", "Value": 248, "IsSystem": True}
SOURCE = {
    "name": "pi",
    "type": "pi",
    "server": "PISRV",
    "username": "reader",
    "password": "word",
    "assets": ["p2"],
    "start": "2026-01-01T00:00:00Z",
    "window": "31d",
    "pace": {"retries": 1},
}


def good(value):
    return {"Value": value, "Good": True, "Questionable": False, "Substituted": False, "UnitsAbbreviation": "bar"}


def bad(value):
    return {**good(value), "Good": False}


def archive(**more):
    return Archive(
        {
            "FT-2": [(START + number * 60_000, good(number + 0.5)) for number in range(1_000)],
            "PT-2": [(START, bad(NO_DATA)), (START + 1_500, good(2)), (START + 2_000, bad(7.5))],
            "IT-2": [(START + HOUR, good(OPEN)), (START + 2 * HOUR, good(CLOSED)), (START + 3 * HOUR, bad(NO_DATA))],
        },
        **more,
    )


@pytest.fixture
def held(tmp_path, monkeypatch):
    """Imports from an archive, and gives the report and the readings by sensor."""
    monkeypatch.setattr("eugenie_cli.sources.windows.pace.FIRST_PAUSE_S", 0.0)

    def imported(source, **changed):
        with serving(source) as url:
            site = pump_site(tmp_path, [{**SOURCE, "url": url, **changed}])
            (report,) = import_sources(site)
        read = open_history(site).read("p2")
        by_name = {}
        for index, name in enumerate(read.names):
            own = read.sensor == index
            by_name[name] = list(zip((read.ts[own] - START).tolist(), read.value[own].tolist(), strict=True))
        return report, by_name

    return imported


def test_values_states_and_bad_quality_are_imported(held):
    report, read = held(archive())
    assert (report.readings, report.bad_quality, report.rejected, report.failed) == (1_006, 3, {}, [])
    assert read["flow"] == [(number * 60_000, number + 0.5) for number in range(1_000)]
    np.testing.assert_equal(read["pressure"], [(0, np.nan), (1_500, 2.0), (2_000, np.nan)])
    np.testing.assert_equal(read["motor current"], [(HOUR, 1.0), (2 * HOUR, 0.0), (3 * HOUR, np.nan)])


def test_states_may_be_given_numbers_of_their_own(held):
    _, read = held(archive(), readings={"value": {"map": {"OPEN": 100, "CLOSED": 5}}})
    np.testing.assert_equal(read["motor current"], [(HOUR, 100.0), (2 * HOUR, 5.0), (3 * HOUR, np.nan)])


@pytest.mark.slow
def test_a_span_with_too_many_values_is_halved(held):
    source = archive()
    source.points["FT-2"] = [(START + 30 * number, good(float(number))) for number in range(3_000)]
    _, read = held(source, values_per_call=1_000)
    assert read["flow"] == [(30 * number, float(number)) for number in range(3_000)]


def test_a_value_at_the_edge_of_a_span_is_counted_once(held):
    source = archive()
    source.points["PT-2"] = [(START + number * HOUR, good("soon")) for number in range(48)]
    source.points["IT-2"] = [(START + number * HOUR, good(OPEN)) for number in range(48)]
    report, read = held(source, window="1d")
    assert report.rejected == {"bad-value": 48}
    assert len(read["motor current"]) == 48 and report.repeated == 0


def test_a_failure_that_passes_is_repeated(held):
    report, _ = held(archive(failures=[503]))
    assert (report.readings, report.failed) == (1_006, [])


@pytest.mark.parametrize(
    ("source", "changed", "words"),
    [
        (archive(), {"password": "x"}, "refuses the user name, password or token .*correct the source's credentials"),
        (archive(server="OTHER"), {}, "PISRV lacks 3 of 3 points: FT-2: PI Point 'FT-2' was not found.*`point`"),
        (archive(), {"point": "N.{tag}"}, "lacks 3 of 3 points: FT-2: PI Point 'N.FT-2' was not found"),
        (archive(allowed=1_000), {}, "exceeds the maximum allowed of 1000.*lower `values_per_call`"),
        (archive(failures=[503, 503]), {}, "overloaded or starting.*calls_per_second"),
        (archive(failures=[500] * 99), {}, "HTTP 500: .*not now"),
        (archive(), {"username": None, "password": None}, "needs Kerberos.*set `username`"),
    ],
)
def test_what_is_wrong_is_named(held, source, changed, words):
    with pytest.raises(EugenieError) as caught:
        held(source, **changed)
    assert re.search(words, f"{caught.value.reason} {caught.value.hint}", re.DOTALL)


def test_points_that_are_missing_may_be_skipped(held):
    source = archive()
    del source.points["PT-2"]
    report, read = held(source, missing="skip")
    assert set(read) == {"flow", "motor current"}
    assert report.gaps == ["PT-2 is not imported: PI Point 'PT-2' was not found."]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"url": "pi.plant"}, "must begin with https"),
        ({"url": "https:///piwebapi"}, "names no host"),
        ({"url": "https://pi:44x/piwebapi"}, "not an address such as https://host"),
        ({"url": "https://[::1/piwebapi"}, "not an address such as https://host"),
        ({"point": "PT"}, "must contain {tag}"),
        ({"password": None}, "belong together"),
        ({"readings": {"value": {"scale": "x"}}}, "scale"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path, changed, words):
    with pytest.raises(ValidationError, match=words):
        pump_site(tmp_path, [{**SOURCE, "url": "https://pi/piwebapi", **changed}])


@pytest.mark.slow
def test_points_are_listed_with_their_first_and_last_instant(tmp_path):
    source = archive()
    source.points |= {f"X-{number}": [] for number in range(1_200)}
    with serving(source) as url:
        site = pump_site(tmp_path, [{**SOURCE, "url": url}])
        found = browse_source(site, "pi", "*T-2")
        assert len(browse_source(site, "pi", "x-*")) == 1_200
    assert found == [
        Browsed("FT-2", "p2, flow", "bar", None, START, START + 999 * 60_000, "Float32"),
        Browsed("IT-2", "p2, motor current", "bar", None, START + HOUR, START + 3 * HOUR, "Float32"),
        Browsed("PT-2", "p2, pressure", "bar", None, START, START + 2_000, "Float32"),
    ]


def test_tags_that_are_one_point_are_refused(tmp_path):
    source = archive()
    with serving(source) as url:
        site = pump_site(tmp_path, [{**SOURCE, "url": url}])
        tags = {**site.assets["p2"].tags, "pressure": "ft-2"}
        assets = {**site.assets, "p2": site.assets["p2"].model_copy(update={"tags": tags})}
        with pytest.raises(EugenieError, match="the tags FT-2 and ft-2 are one point of PISRV"):
            import_sources(site.model_copy(update={"assets": assets}))
