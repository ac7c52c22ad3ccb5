"""What a changed site file means for a running job: named as in the file, without secrets."""

from __future__ import annotations

import copy
import json

import pytest
from support.operated_sites import DOCUMENT

from eugenie_cli.streaming.package import code_digest, job_spec
from eugenie_cli.streaming.spec_diff import Change, changes, shape_of


def shape(site_of, **sections):
    return shape_of(job_spec(site_of(**sections), "auto"), "code")


def difference(site_of, **after) -> list[Change]:
    return list(changes(shape(site_of), shape(site_of, **after)))


def changed(section: str, *path: str, to: object) -> dict:
    """A section of the document with one key replaced or removed."""
    document = copy.deepcopy(DOCUMENT[section])
    section_part = document
    for name in path[:-1]:
        section_part = section_part[name]
    if to is None:
        del section_part[path[-1]]
    else:
        section_part[path[-1]] = to
    return {section: document}


def test_another_limit_of_the_brokers_keeps_the_state(site_of):
    before = shape(site_of)
    before["kafka"]["transaction_timeout_ms"] = 900_000
    after = {**before, "kafka": {**before["kafka"], "transaction_timeout_ms": 86_400_000}}
    (change,) = changes(before, after)
    assert change.compatible
    assert str(change) == "the brokers' transaction.max.timeout.ms: 900000 -> 86400000"


def test_nothing_differs_from_itself(site_of):
    assert difference(site_of) == []


SENSORS = [{"name": "current"}, {"name": "pressure", "low": 0, "high": 40}]


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        (changed("classes", "pump", "step", to="2s"), "classes.pump.step: 1000 -> 2000"),
        (changed("classes", "pump", "model", to={"window": 60, "warmup": 20}), "classes.pump.model.window: 120 -> 60"),
        (
            changed("classes", "pump", "sensors", to=SENSORS),
            'classes.pump.sensors: ["pressure", "current"] -> ["current", "pressure"]',
        ),
        (changed("classes", "fan.v2", "step", to="5s"), "classes.fan.v2.step: 1000 -> 5000"),
        (
            {"kafka": {**DOCUMENT["kafka"], "topics": {"readings": "gateway.out"}}},
            "kafka.topics.readings: plant.readings -> gateway.out",
        ),
        ({"site": "other"}, "site: plant -> other"),
    ],
)
def test_what_the_state_depends_on_cannot_change(site_of, sections, words):
    assert words in [str(change) for change in difference(site_of, **sections) if not change.compatible]


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        (changed("assets", "p-3", to={"class": "pump"}), "assets.p-3: new"),
        (changed("assets", "p-2", to=None), "assets.p-2: removed"),
        (changed("assets", "p-2", "tags", "pressure", to="PT-9"), "assets.p-2.tags.pressure: PT-2.PV -> PT-9"),
        (changed("assets", "f-1", to=None), "classes.fan.v2: removed"),
        (changed("classes", "pump", "alarm", to={"on_delay": 9}), "classes.pump.alarm.on_delay: new"),
        (changed("classes", "pump", "max_gap", to="9s"), "classes.pump.max_gap: 5000 -> 9000"),
        ({"stream": {"parallelism": 4}}, "stream.parallelism: 1 -> 4"),
        ({"stream": {"delivery": "at-least-once"}}, "stream.delivery: exactly-once -> at-least-once"),
        ({"serving": {"address": "models:9000"}}, "the model server's address: models:8500 -> models:9000"),
        ({"kafka": {"bootstrap": "broker:9093"}}, "kafka: bootstrap.servers: broker:9092 -> broker:9093"),
    ],
)
def test_the_state_survives_every_other_change(site_of, sections, words):
    differences = difference(site_of, **sections)
    assert words in [str(change) for change in differences]
    assert all(change.compatible for change in differences)


def test_incompatible_changes_come_first(site_of):
    both = {**changed("assets", "p-3", to={"class": "pump"}), **changed("classes", "pump", "step", to="2s")}
    differences = difference(site_of, **both)
    assert [change.compatible for change in differences] == sorted(change.compatible for change in differences)
    assert differences[0].what == "classes.pump.step"


def test_a_change_of_a_sensors_limits_or_units_is_compatible(site_of):
    sensors = [{"name": "pressure", "low": 0, "high": 50, "unit": "bar"}, {"name": "current"}]
    differences = difference(site_of, **changed("classes", "pump", "sensors", to=sensors))
    assert {change.what for change in differences} == {"classes.pump.high", "classes.pump.units"}
    assert all(change.compatible for change in differences)


def test_no_secret_is_stored(site_of, monkeypatch):
    monkeypatch.setenv("KAFKA_PASSWORD", "tiger")
    security = {
        "protocol": "SASL_SSL",
        "mechanism": "SCRAM-SHA-512",
        "username": "eugenie",
        "password": "${env:KAFKA_PASSWORD}",
    }
    site = site_of(kafka={"bootstrap": "broker:9092", "security": security})
    spec = job_spec(site, "auto")
    assert "tiger" in json.dumps(spec.kafka.properties)
    stored = shape_of(spec)
    assert "tiger" not in json.dumps(stored)
    assert stored["kafka"]["properties"] == {
        "bootstrap.servers": "broker:9092",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
    }


def test_a_shape_survives_a_round_trip_through_json(site_of):
    before = shape(site_of)
    assert json.loads(json.dumps(before)) == before


def test_the_start_of_a_submission_is_not_a_difference(site_of):
    site = site_of()
    assert changes(shape_of(job_spec(site, "earliest", 1)), shape_of(job_spec(site, "timestamp", 3, 5))) == ()


def test_another_program_is_a_compatible_difference(site_of):
    spec = job_spec(site_of(), "auto")
    (program,) = changes(shape_of(spec, "old"), shape_of(spec, "new"))
    assert program.compatible and "program" in str(program)
    assert len(code_digest()) == 64 and code_digest() == code_digest()
