"""Mappings of the line protocol: sections that do not say where their part is keep the default place."""

from __future__ import annotations

from typing import Any

import pytest
from support.both_readers import BAD, dumped, outcomes_of

from eugenie_cli.site.checks.mapping import check_mapping
from eugenie_cli.site.readings_mapping import ReadingsMapping

S = 1_775_369_228
MAPPING = {"format": "influx", "asset": {"path": "tags.host"}}
LONG = {"format": "influx", "shape": "long", "tag": {"path": "tags.host"}}
NUMBER, TEXT, SECONDS = f"m,host=p s=2.5 {S}000000000", f'm,host=p s="2.5 bar" {S}000000000', f"m,host=p s=2.5 {S}"
OFFLINE = f"m,host=p s=-9999 {S}000000000"
OTHER = f'm,host=p s=2.5,at="2026-04-05T06:07:08Z" {S - 5}000000000'

CASES: dict[str, tuple[dict[str, Any], str, Any]] = {
    "no sections": ({}, NUMBER, 2.5),
    "an empty section": ({"value": {}, "ts": {}}, NUMBER, 2.5),
    "a unit": ({"value": {"unit": "bar"}}, TEXT, 2.5),
    "a status": ({"value": {"status": ["-9999"]}}, OFFLINE, BAD),
    "a zone": ({"ts": {"timezone": "UTC"}}, NUMBER, 2.5),
    "another unit of time": ({"ts": {"unit": "s"}}, SECONDS, 2.5),
    "both": ({"ts": {"unit": "s"}, "value": {"status": ["-9999"]}}, SECONDS, 2.5),
    "another path of the values": ({"value": {"path": "fields", "unit": "bar"}}, TEXT, 2.5),
    "another path of the instant": ({"ts": {"path": "fields.at"}}, OTHER, 2.5),
}


@pytest.mark.parametrize("name", CASES)
def test_a_section_without_a_path_keeps_the_default_one(name):
    sections, line, value = CASES[name]
    mapping = ReadingsMapping.model_validate({**MAPPING, **sections})
    assert list(check_mapping(mapping, of_file=False)) == []
    assert outcomes_of(mapping.model_dump(mode="json"), line.encode()) == [[("p", None, "s", S * 1000, value)]]


@pytest.mark.parametrize("sections", [{}, {"value": {"unit": "bar"}}, {"value": {"status": ["-9999"]}}])
def test_a_reading_per_line_has_a_default_path_too(sections):
    line = f"m,host=p value=2.5 {S}000000000".encode()
    assert outcomes_of(dumped(**LONG, **sections), line) == [[(None, None, "p", S * 1000, 2.5)]]


def test_the_instant_of_the_record_stays_the_records():
    mapping = ReadingsMapping.model_validate({**MAPPING, "ts": {"record": "timestamp"}})
    assert mapping.ts.path is None and mapping.ts.unit == "iso"
    assert ReadingsMapping.model_validate(mapping.model_dump()) == mapping
