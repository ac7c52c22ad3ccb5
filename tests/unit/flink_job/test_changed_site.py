"""A savepoint written with another site file: nothing in it stops the job, stays open, or is lost silently.

The state is in the first version of the format (a job with pumps p1, p2, p3 and a fan f1, three open anomalies, five
readings waiting for their row), and the same state rewritten by the present version.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from eugenie_cli.episodes.records import anomaly_id
from eugenie_cli.flink_job.alarm_state import ANOMALY, AlarmState
from eugenie_cli.flink_job.alarms import Alarms
from eugenie_cli.flink_job.episode_state import classes_of_rows
from eugenie_cli.flink_job.grid import Batch
from eugenie_cli.flink_job.predict import ScoredBatch
from eugenie_cli.flink_job.sensor_index import SensorIndex
from eugenie_cli.flink_job.spec import JobSpec

from .conftest import build_spec, class_spec, readings
from .test_snapshot_journal import State, Value, batches_of

GOLDEN = Path(__file__).parents[2] / "golden" / "flink_job" / "state-first-version.json"

PUMP = class_spec()
FAN = class_spec("fan", sensors=("v", "i", "b"), units=("mm/s", "A", "bar"), low=(None,) * 3, high=(None,) * 3)
ASSETS = {"p1": "pump", "p2": "pump", "f1": "fan", "p3": "pump"}
CLASSES = (PUMP, FAN)


class Timers:
    """The timers of Flink that alarms set."""

    def register_event_time_timer(self, timestamp: int) -> None: ...

    def register_processing_time_timer(self, timestamp: int) -> None: ...


class Kept(State):
    """Flink's state of a shard, including its alarms."""

    def __init__(self) -> None:
        super().__init__()
        self.episodes = Value()


def first_version() -> Kept:
    kept = Kept()
    golden = json.loads(GOLDEN.read_text())
    kept.rows.content, kept.names.content, kept.episodes.content = (
        base64.b64decode(golden[name]) for name in ("rows", "names", "episodes")
    )
    kept.journal.content = [base64.b64decode(piece) for piece in golden["journal"]]
    return kept


def present_version() -> Kept:
    """The same state, read and rewritten by a job of the present version with the same site file."""
    kept = first_version()
    spec = build_spec(classes=CLASSES, assets=ASSETS, shards=1)
    alarms = alarms_of(kept, spec)
    assert list(alarms.begin(Timers())) == []
    kept.shard(spec)
    assert "version" in kept.episodes.value() and len(kept.names.value()[0]) == 3
    return kept


def alarms_of(kept: Kept, spec: JobSpec) -> Alarms:
    return Alarms(spec, kept.episodes, lambda: classes_of_rows(kept.rows.value(), kept.names.value(), spec))


def scored(batch: Batch, score: float) -> ScoredBatch:
    count, steps = batch.readings.shape
    sensors = batch.rows.shape[2]
    rows = batch.rows[:, -steps:]
    own = Batch(
        batch.class_name,
        batch.assets,
        batch.first_edge,
        batch.step_ms,
        rows,
        batch.readings,
        batch.bad_quality,
        batch.delayed_until,
    )
    share = np.full((count, steps, sensors), 1 / sensors, np.float32)
    return ScoredBatch(own, np.full((count, steps), score, np.float32), share, rows, 8)


OTHER = class_spec(sensors=("a", "c"))
CHANGES = {
    "nothing": (CLASSES, ASSETS, {}, {}),
    "an asset removed": (CLASSES, {"p2": "pump", "f1": "fan", "p3": "pump"}, {"p1": "pump"}, {("p1", "b"): 2}),
    "an asset without readings removed": (CLASSES, {"p1": "pump", "p2": "pump", "f1": "fan"}, {}, {}),
    "an asset moved to another class, with a sensor of the same name": (
        CLASSES, {**ASSETS, "p1": "fan"}, {"p1": "pump"}, {("p1", "b"): 2},
    ),
    "an asset moved to a class with the same sensors": (
        (class_spec("booster"), *CLASSES), {**ASSETS, "p1": "booster"}, {"p1": "pump"}, {("p1", "b"): 2},
    ),
    "a class removed with its only asset": (
        (PUMP,), {"p1": "pump", "p2": "pump"}, {"f1": "fan"}, {("f1", "b"): 1, ("f1", "i"): 1},
    ),
    "a class whose assets are all removed": (
        (FAN,), {"f1": "fan"}, {"p1": "pump", "p2": "pump"}, {("p1", "b"): 2, ("p2", "a"): 1},
    ),
    "a class with another name": (
        (class_spec("booster"), FAN), {"p1": "booster", "p2": "booster", "f1": "fan"},
        {"p1": "pump", "p2": "pump"}, {("p1", "b"): 2, ("p2", "a"): 1},
    ),
    "a class with another sensor": ((OTHER, FAN), ASSETS, {"p1": "pump", "p2": "pump"}, {("p1", "b"): 2}),
    "a class with more sensors": (
        (class_spec(sensors=("a", "b", "c"), units=("", "", ""), low=(None,) * 3, high=(None,) * 3), FAN),
        ASSETS, {"p1": "pump", "p2": "pump"}, {},
    ),
    "a class with its sensors in another order": (
        (class_spec(sensors=("b", "a")), FAN), ASSETS, {"p1": "pump", "p2": "pump"}, {},
    ),
    "a class with another step": ((class_spec(step_ms=2_000), FAN), ASSETS, {}, {}),
    "a class with another window": ((class_spec(window=9), FAN), ASSETS, {}, {}),
    "other limits and alarm rules": ((class_spec(low=(0.0, 0.0), on_delay=9, cooldown=5), FAN), ASSETS, {}, {}),
    "another plant": (
        (class_spec("tank"),), {"t1": "tank"}, {"p1": "pump", "p2": "pump", "f1": "fan"},
        {("p1", "b"): 2, ("p2", "a"): 1, ("f1", "b"): 1, ("f1", "i"): 1},
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("version", [first_version, present_version])
@pytest.mark.parametrize("change", CHANGES)
def test_the_job_resumes_from_it(change, version):
    classes, assets, closed, waited = CHANGES[change]
    kept = version()
    spec = build_spec(classes=classes, assets=assets, shards=1)
    alarms = alarms_of(kept, spec)
    shard = kept.shard(spec)

    records = [(kind, key, json.loads(text)) for kind, key, text in alarms.begin(Timers())]
    assert {key: record["class"] for _, key, record in records} == closed and len(records) == len(closed)
    for kind, key, record in records:
        sensors = {"pump": {"a", "b"}, "fan": {"v", "i", "b"}}[record["class"]]
        assert (kind, record["state"], record["reason"], record["end"][11:19]) == (
            ANOMALY, "closed", "removed", "00:00:07",
        )  # fmt: skip
        assert record["id"] == anomaly_id("plant", key, record["class"], 1_000)
        assert {sensor["sensor"] for sensor in record["sensors"]} == sensors
        assert (record["model"]["name"], record["model"]["version"]) == (record["class"], 7)
    letters = [json.loads(letter) for _, letter in shard.orphans]
    counts = {
        (named["asset"], named["sensor"]): letter["count"]
        for letter in letters
        if (named := json.loads(letter["payload"]))
    }
    assert counts == waited and all(letter["reason"] == "unknown-tag" for letter in letters)

    # nothing of it remains, and it is closed and reported once
    assert kept.shard(spec).orphans == [] and list(alarms_of(kept, spec).begin(Timers())) == []
    names = {asset for rows in kept.rows.value().values() for asset in rows["assets"]}
    assert names <= assets.keys() and not names & closed.keys()

    # and the job continues: every asset makes rows, anomalies that stayed open recover
    routes = SensorIndex(spec)
    sensors_of = {equipment.name: equipment.sensors for equipment in classes}
    for second in range(8, 20):
        edge = second * 1_000
        everything = ((name, sensor, edge, 1.0) for name, of in assets.items() for sensor in sensors_of[of])
        shard.take(readings(routes, *everything), 0.0)
    ends: Counter[str] = Counter()
    for batch in batches_of(shard, 0.0, has_ended=True):
        for kind, key, text in alarms.take(scored(batch, 0.5), Timers()):
            if kind == ANOMALY:
                ends[key, json.loads(text)["reason"]] += 1
    stayed = {"p1", "p2", "f1"} - closed.keys()
    assert ends == {(asset, "recovered"): 1 for asset in stayed}
    assert {asset for rows in kept.shard(spec).rows.state(0).values() for asset in rows["assets"]} == assets.keys()


def test_an_asset_missing_from_the_rows_has_its_current_class_if_that_fits():
    spec = build_spec(classes=(class_spec(), class_spec("booster")), assets={"p1": "pump", "b1": "booster"})
    rows = {name: {"assets": [], "sensors": ("a", "b")} for name in ("booster", "pump")}
    names = [(asset, sensor) for asset in ("p1", "b1", "gone") for sensor in "ab"]
    classes = classes_of_rows(rows, names, spec)
    assert (classes["p1"].name, classes["b1"].name) == ("pump", "booster") and classes["gone"].sensors == ("a", "b")


@pytest.mark.parametrize("shards", [1, 8])
def test_a_shard_that_loses_its_last_asset_of_a_class_continues(shards):
    before = build_spec(assets={f"p{number}": "pump" for number in range(12)}, shards=shards)
    after = build_spec(assets={"p3": "pump"}, shards=shards)
    for number in range(shards):
        routes, kept = SensorIndex(before), State()
        shard = kept.shard(before, number)
        for second in range(1, 5):
            own = routes.classes[0].assets[number]
            shard.take(readings(routes, *((asset, "a", 1_000 * second, 1.0) for asset in own)), 0.0)
            batches_of(shard, 0.0)
        assert own
        later = kept.shard(after, number)
        for second in range(5, 9):
            batches_of(later, 1_000.0 * second)
            later.rows.is_waiting()


def test_a_class_with_changed_sensors_is_not_mistaken_for_its_former_self():
    """p1 has an anomaly in the former class and one in the current class: the state keeps them apart."""
    spec = build_spec(classes=(OTHER, FAN), assets={"p1": "pump"}, shards=1)
    alarm_state = alarms_of(first_version(), spec)._alarm_state
    departed, alarm_state._departed = alarm_state._departed, []
    rows = np.ones((1, 3, 2), np.float32)
    batch = Batch(
        "pump", ("p1",), np.array([8_000]), 1_000, rows, *[np.ones((1, 3), np.int32)] * 2, np.zeros(1, np.int64)
    )
    opened = [json.loads(text) for kind, _, text in alarm_state.take(scored(batch, 3.0)) if kind == ANOMALY]
    alarm_state._departed = departed
    again = AlarmState(spec)
    again.restore(json.loads(json.dumps(alarm_state.state())))
    closed = [json.loads(text) for _, _, text in again.close_all()]
    assert {
        (record["reason"], tuple(sorted(sensor["sensor"] for sensor in record["sensors"]))) for record in closed
    } == {
        ("removed", ("a", "b")),
        ("removed", ("b", "i", "v")),
        ("silent", ("a", "c")),
    }
    assert opened[0]["id"] == closed[-1]["id"]


def test_an_anomaly_is_closed_by_whichever_call_comes_first():
    for call in ("close_all", "close_silent", "take"):
        kept = first_version()
        alarms = alarms_of(kept, build_spec(classes=CLASSES, assets={"p2": "pump"}, shards=1))
        alarm_state = alarms._alarm_state
        nothing = Batch(
            "pump",
            (),
            np.empty(0, np.int64),
            1_000,
            np.empty((0, 1, 2), np.float32),
            *[np.empty((0, 1), np.int32)] * 2,
            np.empty(0, np.int64),
        )
        argument = {"close_all": (), "close_silent": (lambda asset: 7_500,), "take": (scored(nothing, 0.0),)}[call]
        records = [json.loads(text) for _, _, text in getattr(alarm_state, call)(*argument)]
        assert {record["asset"] for record in records if record["reason"] == "removed"} == {"p1", "f1"}
