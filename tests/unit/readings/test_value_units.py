"""Units of values: what could be part of a number is no unit, and a number is read before its unit is removed."""

from __future__ import annotations

import json

import pytest
from support.both_readers import dumped, outcomes_of

from eugenie_cli.site.checks.mapping import check_mapping
from eugenie_cli.site.readings_mapping import ReadingsMapping

T, T_MS = "2026-04-05T06:07:08.5Z", 1_775_369_228_500
MAPPING = {"asset": {"const": "p"}, "sensor": {"const": "s"}}


@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize(
    "unit, text, value",
    [
        ("e3", "1e3", 1000.0),
        ("E", "1E", 1.0),
        ("e+3", "2e+3", 2000.0),
        ("e3", "2 e3", 2.0),
        ("0", "10", 10.0),
        ("bar", "2 bar", 2.0),
        ("bar", "1e3bar", 1000.0),
        ("eV", "5 eV", 5.0),
    ],
)
def test_a_number_is_read_before_its_unit_is_removed(unit, text, value, decimal):
    mapping = dumped(**MAPPING, value={"path": "value", "unit": unit, "decimal": decimal})
    payloads = [json.dumps({"ts": T, "value": each}).encode() for each in (text, "7")]
    assert outcomes_of(mapping, *payloads)[0] == [("p", "s", None, T_MS, value)]
    assert outcomes_of(mapping, payloads[0])[0] == [("p", "s", None, T_MS, value)]


@pytest.mark.parametrize(
    "unit, is_one",
    [
        *[(unit, False) for unit in ("e3", "E3", "e", "E", "e+3", "E-10", "e+", " e3 ", "3", "-", ".5", ",", "+x")],
        *[(unit, True) for unit in ("bar", "eV", "e3x", "m3", "°C", "%", "E/s")],
    ],
)
def test_config_check_refuses_a_unit_that_could_be_part_of_a_number(unit, is_one):
    mapping = ReadingsMapping.model_validate({**MAPPING, "value": {"path": "value", "unit": unit}})
    problems = [path for path, _ in check_mapping(mapping, of_file=False)]
    assert problems == ([] if is_one else [("value", "unit")])
