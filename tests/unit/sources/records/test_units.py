"""Values in another unit than the class's are converted."""

from __future__ import annotations

import math

import pytest
from support.history_sites import pump_site

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.site_history import open_history
from eugenie_cli.readings.routing import Router
from eugenie_cli.site.readings_mapping import ReadingsMapping
from eugenie_cli.site.units import UnitProblem, conversion
from eugenie_cli.sources.importing import import_sources
from eugenie_cli.sources.records.reader import RecordReader

pytest.importorskip("pint")


@pytest.mark.parametrize(
    ("given", "wanted", "value", "expected"),
    [
        ("psi", "bar", 14.5038, 1.0), ("mbar", "bar", 1013.25, 1.01325), ("kPa", "bar", 250, 2.5),
        ("°F", "°C", 212, 100), ("K", "°C", 273.15, 0), ("degC", "°F", -40, -40),
        ("l/min", "m³/h", 100, 6), ("m3/h", "l/s", 3.6, 1), ("kg/cm²", "bar", 1, math.nan), ("t/h", "kg/s", 3.6, 1),
        ("µm", "mm", 1500, 1.5), ("U/min", "Hz", 60, 1), ("bar", "bar", 3, 3),
        ("A", "mA", 2, 2000), ("rpm", "1/min", 5, 5),
        ("rpm", "rad/s", 60, math.nan), ("rad/s", "Hz", 1, math.nan), ("°/s", "rad/s", 180, math.pi),
        ("bar", "°C", 1, math.nan),
    ],
)  # fmt: skip
def test_units_as_plants_write_them(given, wanted, value, expected):
    if math.isnan(expected):
        with pytest.raises(UnitProblem):
            conversion(given, wanted)
        return
    factor, offset = conversion(given, wanted)
    assert value * factor + offset == pytest.approx(expected, rel=1e-5, abs=1e-9)


@pytest.mark.slow
def test_imported_values_are_in_the_units_of_the_classes(tmp_path):
    (tmp_path / "a.csv").write_text(
        "t,PT-2,FT-2,IT-2\n2026-01-03T06:00:00Z,145.0377,1,5\n2026-01-03T06:00:01Z,Bad,2,6\n"
    )
    readings = {"shape": "wide", "ts": {"path": "t"}, "value": {"units": {"pressure": "psi"}}}
    source = {"name": "s", "type": "csv", "path": "a.csv", "readings": readings}
    sensors = [{"name": "flow"}, {"name": "pressure", "unit": "bar"}, {"name": "motor current"}]
    site = pump_site(tmp_path, [source], sensors=sensors)
    import_sources(site)
    found = open_history(site).read("p2")
    by_name = {name: found.value[found.sensor == index].tolist() for index, name in enumerate(found.names)}
    assert by_name["pressure"][0] == pytest.approx(10, rel=1e-6) and math.isnan(by_name["pressure"][1])
    assert (by_name["flow"], by_name["motor current"]) == ([1, 2], [5, 6])
    (report,) = import_sources(site)
    assert report.unchanged == 1
    sensors[1] = {"name": "pressure", "unit": "kPa"}
    (report,) = import_sources(pump_site(tmp_path, [source], sensors=sensors))
    assert report.changed == 1  # the class's unit is another one


def test_a_mapping_without_the_classes_units_is_refused():
    mapping = ReadingsMapping(tag={"path": "t"}, value={"path": "v", "units": "psi"}).model_dump(mode="json")
    with pytest.raises(EugenieError, match="units of the classes are unknown: the mapping"):
        RecordReader(mapping, "UTC", Router({}, {}), ["t", "v"])
