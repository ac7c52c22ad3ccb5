"""Routing of readings to sensors, and engineering limits."""

from __future__ import annotations

import numpy as np
import pytest

from eugenie_cli.readings.limits import Limits
from eugenie_cli.readings.mapping import bind_file, compile_mapping
from eugenie_cli.readings.payload_formats import parse_payload
from eugenie_cli.readings.routing import Router

SENSORS = {"pump": ("flow", "pressure"), "tank": ("level",)}
ASSETS = {
    "p1": {"class": "pump", "tags": {"flow": "FT-1", "pressure": "PT-1"}},
    "p2": {"class": "pump", "tags": {}},
    "t1": {"class": "tank", "tags": {"level": "flow"}},
}


@pytest.mark.parametrize(
    ("asset", "sensor", "tag", "route"),
    [
        ("p1", "flow", None, ("p1", 0)),
        ("p1", None, "PT-1", ("p1", 1)),
        ("p1", None, "flow", ("p1", 0)),  # a sensor's name is accepted as a tag
        ("p2", None, "pressure", ("p2", 1)),  # without tags the sensor names are the tags
        (None, None, "FT-1", ("p1", 0)),
        (None, None, "flow", None),  # ambiguous: p1, p2 and t1 have it
        ("p1", "flow", "PT-1", ("p1", 0)),  # a sensor takes precedence over a tag
        ("p1", "level", None, None),
        ("p1", "FT-1", None, None),  # a tag is not accepted as a sensor's name
        ("p9", "flow", None, None),
        (None, "flow", None, None),
        ("p1", None, None, None),
    ],
)
def test_route(asset, sensor, tag, route):

    assert Router(ASSETS, SENSORS).route(asset, sensor, tag) == route


def test_a_tag_wins_over_another_sensors_name():
    swapped = {"p1": {"class": "pump", "tags": {"flow": "pressure", "pressure": "flow"}}}
    router = Router(swapped, SENSORS)
    assert router.route("p1", None, "flow") == ("p1", 1)
    assert router.route("p1", "flow", None) == ("p1", 0)


def test_the_table_agrees_with_route():
    router = Router(ASSETS, SENSORS)
    assert router.route(None, None, "flow") is None  # a tag of several assets is not routed without an asset
    for line in router.table():
        assert router.route(line.asset, line.sensor, line.tag) == (line.to_asset, line.to_index)
        assert ASSETS[line.to_asset]["class"] == line.to_class


def test_limits_are_inclusive_and_do_not_apply_to_missing_values():
    limits = Limits([0.0, None], [10.0, None])
    sensor = np.array([0, 0, 0, 0, 0, 1], np.int32)
    value = np.array([0.0, 10.0, -0.1, 10.1, np.nan, 1e9])
    assert limits.outside(sensor, value).tolist() == [False, False, True, True, False, False]
    np.testing.assert_array_equal(limits.apply(sensor, value), [0.0, 10.0, np.nan, np.nan, np.nan, 1e9])


def test_file_patterns_become_constants():
    mapping = {
        "asset": {"path": None, "const": None, "file": "{parent}-{stem}"},
        "ts": {"path": "t", "file": None},
    }
    bound = bind_file(mapping, "exports/valve1/3.csv")
    assert bound["asset"]["const"] == "valve1-3"
    assert bound["ts"]["path"] == "t"


def test_a_file_pattern_without_a_file_is_refused():
    with pytest.raises(ValueError, match="imports only"):
        compile_mapping({"asset": {"file": "{stem}"}}, "UTC")


def test_an_unknown_zone_is_refused():
    with pytest.raises(ValueError, match="Mars/Olympus"):
        compile_mapping({}, "Mars/Olympus")


def test_a_payload_larger_than_a_message_is_refused():
    assert parse_payload(b'{"a": "' + b"x" * 1_000_001 + b'"}').reason == "too-large"


def test_bytes_that_are_not_utf8_are_refused():
    assert parse_payload(b'{"a": "\xff"}').reason == "bad-json"
