"""Values of messages are converted once the sensor that they belong to is known."""

from __future__ import annotations

import numpy as np

from eugenie_cli.readings.columns.conversions import Conversions, converting
from eugenie_cli.readings.columns.reader import compile_columns

SENSORS = [("pump", "pressure"), ("pump", "flow"), ("fan", "pressure")]
TABLE = {"pump": {"pressure": (0.1, 0.0)}, "fan": {"pressure": (1.0, 273.15)}}


def test_each_sensor_has_a_conversion_of_its_own():
    place, value = np.array([0, 1, 2, 0, -3]), np.array([10.0, 10.0, 10.0, np.nan, 10.0])
    found = Conversions(TABLE, SENSORS.__getitem__).applied(place, value)
    np.testing.assert_array_equal(found, [1.0, 10.0, 283.15, np.nan, 10.0])


def test_a_value_beyond_float32_is_of_bad_quality():
    found = Conversions({"pump": {"pressure": (1e6, 0.0)}}, SENSORS.__getitem__).applied(
        np.zeros(1, int), np.array([1e38])
    )
    assert np.isnan(found).all()


def test_messages_are_converted_by_the_mapping():
    mapping = {"ts": {"path": "t", "unit": "ms"}, "tag": {"path": "g"}, "value": {"path": "v", "conversions": TABLE}}
    places = {"PT-1": 0, "FT-1": 1}
    read = compile_columns(mapping, "UTC", lambda _asset, _sensor, tag: places.get(tag))
    payloads = [
        b'{"t":1768280400000,"g":"%s","v":%s}' % pair for pair in ((b"PT-1", b"10"), (b"FT-1", b'"10"'), (b"XX", b"10"))
    ]
    columns = converting(read, mapping, SENSORS.__getitem__)(payloads)
    found = dict(zip(columns.place.tolist(), columns.value.tolist(), strict=True))
    assert found == {0: 1.0, 1: 10.0, -1: 10.0}
    assert converting(read, {"value": {"path": "v"}}, SENSORS.__getitem__) is read
