"""Units of a source that cannot be converted to those of the classes are refused."""

from __future__ import annotations

import pytest

pytest.importorskip("pint")

SITE = """\
site: plant
sources: [{name: a, type: csv, path: x, readings: {tag: {path: t}, value: {path: v, units: %s}}}]
classes: {pump: {sensors: [{name: pressure, unit: bar}, {name: speed}, {name: flow, unit: m³/h}]}}
assets: {pump-1: {class: pump}}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("units", "problem"),
    [
        ("psi", "sources[0].readings.value.units: speed has no unit in its class"),
        ("{pressure: °C}", "value.units.pressure: pressure: '°C' cannot be converted to 'bar'"),
        ("{pressure: barg}", "value.units.pressure: pressure: 'barg' is not a known unit"),
        ("{speed: rpm}", "value.units.speed: speed has no unit in its class: add `unit`"),
        ("{presure: psi}", "value.units.presure:"),
    ],
)
def test_what_cannot_be_converted_is_refused(problems, units, problem):
    found = problems(SITE % units, whole=True)
    assert any(problem in shown for shown in found), found


def test_units_that_can_be_converted_are_no_problem(problems):
    assert problems(SITE % "{pressure: psi, flow: l/min}", whole=True) == []


def test_units_of_messages_are_checked_too(problems):
    value = "{path: v, units: {pressure: °C}}"
    found = problems(f"kafka: {{bootstrap: 'b:9092', readings: {{tag: {{path: t}}, value: {value}}}}}")
    assert any("kafka.readings.value.units.pressure: pressure: '°C' cannot be converted" in shown for shown in found)
