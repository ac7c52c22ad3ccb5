"""The rows of a task take readings in columns: classes with different steps, late readings, state to resume from."""

from __future__ import annotations

import json
import math
import pickle
from collections import Counter

import numpy as np
import pytest

from eugenie_cli.episodes.records import iso
from eugenie_cli.flink_job.key_groups import MAX_PARALLELISM, key_group, keys, tasks
from eugenie_cli.flink_job.sensor_index import SensorIndex, shard_of
from eugenie_cli.flink_job.spec import AssetSpec
from eugenie_cli.flink_job.task_rows import TaskRows

from .conftest import class_spec, readings, rows_until

ONE_SHARD = {"shards": 1}


def test_the_index_contains_every_sensor_once(job_spec):
    spec = job_spec(assets={f"p{number}": "pump" for number in range(40)})
    routes = SensorIndex(spec)
    assert len(set(routes.names)) == 80
    for place, (asset, sensor) in enumerate(routes.names):
        assert routes.place_of(asset, sensor, None) == place
        assert routes.shard[place] == shard_of(asset, spec.shards)
    assert len(set(routes.shard.tolist())) == spec.shards
    for shard in range(spec.shards):
        for by_shard, first in zip(routes.classes, routes.first_places(shard), strict=True):
            assert [routes.name_of(place)[0] for place in first] == list(by_shard.assets[shard])


@pytest.mark.parametrize("parallelism", [1, 2, 4, 8])
def test_flink_distributes_the_shards_evenly(parallelism):
    # 128 groups in equal ranges, as in KeyGroupRangeAssignment.computeOperatorIndexForKeyGroup
    shards_per_task = Counter(key_group(key) * parallelism // MAX_PARALLELISM for key in keys(8))
    assert shards_per_task == dict.fromkeys(range(parallelism), 8 // parallelism)


@pytest.mark.parametrize("parallelism", range(1, 9))
def test_every_shard_has_one_task_and_the_first_shard_has_the_first_task(parallelism):
    assigned = tasks(8, parallelism)
    assert sorted(shard for shards in assigned.values() for shard in shards) == list(range(8))
    assert assigned[0][0] == 0 and set(assigned) <= set(range(parallelism))
    for task, shards in assigned.items():
        assert {key_group(keys(8)[shard]) * parallelism // MAX_PARALLELISM for shard in shards} == {task}


def test_tags_lead_to_sensors(job_spec):
    spec = job_spec()
    spec = type(spec)(
        **{**spec.__dict__, "assets": (AssetSpec("p1", "pump", {"a": "PT-1"}), AssetSpec("p2", "pump", {}))}
    )
    routes = SensorIndex(spec)
    assert routes.place_of(None, None, "PT-1") == routes.place_of("p1", "a", None)
    assert routes.place_of("p2", None, "b") == routes.place_of("p2", "b", None)
    assert routes.place_of(None, None, "b") is None  # both assets have one


def test_each_class_has_its_own_step(job_spec):
    slow = class_spec(
        "tank", sensors=("level",), units=("m",), low=(None,), high=(None,), step_ms=5_000, max_gap_ms=9_000
    )
    routes = SensorIndex(job_spec(classes=(class_spec(), slow), assets={"p1": "pump", "t1": "tank"}, **ONE_SHARD))
    shard = TaskRows(routes, (0,))
    for second in range(1, 6):
        shard.take(readings(routes, ("p1", "a", 1_000 * second, 1.5), ("t1", "level", 1_000 * second, second)), 0.0)
    batches = rows_until(shard, 5_000)
    made = [(batch.class_name, batch.first_edge.tolist(), batch.readings.tolist()) for batch in batches]
    assert made == [("pump", [1_000], [[1, 1, 1, 1]]), ("pump", [5_000], [[1]]), ("tank", [5_000], [[5]])]


def test_a_late_reading_is_a_dead_letter_that_an_import_can_read(job_spec):
    routes = SensorIndex(job_spec(**ONE_SHARD))
    shard = TaskRows(routes, (0,))
    shard.take(readings(routes, ("p1", "a", 1_000, 1), ("p2", "a", 200, 1)), 0.0)
    rows_until(shard, 1_000)
    sent = readings(
        routes, ("p1", "a", 500, 4.5), ("p1", "b", 900, math.nan), ("p1", "a", 1_500, 1), ("p2", "a", 50, 1)
    )
    taken, letters = shard.take(sent._replace(offset=np.array([7, 7, 7, 8]), partition=np.array([1, 1, 1, 0])), 0.0)
    assert taken[1].tolist() == [1_500]
    first, second = (json.loads(letter) for _, letter in letters)
    assert (first["reason"], first["partition"], first["offset"], "count" in first) == ("late", 0, 8, False)
    assert (second["reason"], second["partition"], second["offset"], second["count"]) == ("late", 1, 7, 2)
    assert json.loads(first["payload"]) == {"asset": "p2", "sensor": "a", "ts": iso(50), "value": 1.0}
    assert json.loads(second["payload"]) == [
        {"asset": "p1", "sensor": "a", "ts": iso(500), "value": 4.5},
        {"asset": "p1", "sensor": "b", "ts": iso(900), "value": None},
    ]
    assert second["detail"] == "the rows of p1 are complete up to 1970-01-01T00:00:01.000Z"


def test_the_state_is_resumed_when_the_site_gains_and_loses_assets(job_spec):
    routes = SensorIndex(job_spec(**ONE_SHARD))
    shard = TaskRows(routes, (0,))
    shard.take(readings(routes, ("p1", "a", 1_000, 1), ("p2", "a", 1_000, 2)), 0.0)
    rows_until(shard, 1_000)
    kept = pickle.loads(pickle.dumps(shard.state(0)))  # noqa: S301

    others = SensorIndex(job_spec(assets={"p3": "pump", "p2": "pump"}, **ONE_SHARD))
    later = TaskRows(others, (0,))
    later.restore(kept)
    later.take(readings(others, ("p2", "b", 1_700, 8)), 0.0)
    (batch,) = rows_until(later, 2_000)
    assert batch.assets == ("p2",)
    np.testing.assert_array_equal(batch.rows[0, -2:], np.array([[2.0, np.nan], [2.0, 8.0]], np.float32))


def test_a_class_with_other_sensors_starts_with_empty_state(job_spec):
    routes = SensorIndex(job_spec(**ONE_SHARD))
    shard = TaskRows(routes, (0,))
    shard.take(readings(routes, ("p1", "a", 1_000, 1)), 0.0)
    rows_until(shard, 1_000)
    other = class_spec(sensors=("b", "c"), units=("", ""))
    later = TaskRows(SensorIndex(job_spec(classes=(other,), **ONE_SHARD)), (0,))
    later.restore(pickle.loads(pickle.dumps(shard.state(0))))  # noqa: S301
    assert not later.is_waiting()


def test_pending_readings_are_those_whose_row_has_not_been_made(job_spec):
    routes = SensorIndex(job_spec(**ONE_SHARD))
    shard = TaskRows(routes, (0,))
    shard.take(readings(routes, ("p1", "a", 900, 1), ("p2", "b", 1_900, 2)), 0.0)
    rows_until(shard, 1_000)
    place, ts, value = shard.pending(0)
    assert [routes.name_of(number) for number in place] == [("p2", "b")]
    assert (ts.tolist(), value.tolist()) == ([1_900], [2.0])


MADE = 1_000_000
"""ms: the last row that a drained job made for p1."""


@pytest.mark.parametrize(
    ("asset", "ts", "late"),
    [
        ("p1", MADE, True),
        ("p1", MADE - 299_000, True),
        ("p2", MADE, False),  # the same class and shard, but nothing is known of its rows
        ("p1", MADE + 1, False),
        ("p1", MADE - 300_000, False),  # a replay, whose rows are made again
        ("f1", MADE, False),  # another class
    ],
)
def test_rows_of_a_drained_job_are_not_made_again(job_spec, asset, ts, late):
    spec = job_spec(
        classes=(class_spec(), class_spec(name="fan")),
        assets={"p1": "pump", "p2": "pump", "f1": "fan"},
        made_until={"p1": MADE, "gone": 2 * MADE},
        **ONE_SHARD,
    )
    routes = SensorIndex(spec)
    shard = TaskRows(routes, (0,))
    sensor = spec.classes[0].sensors[0]
    given = readings(routes, (asset, sensor, ts, 1.0), (asset, sensor, MADE + 60_000, 1.0))
    taken, letters = shard.take(given, 0.0)
    assert len(taken[0]) == 2 - late
    assert [json.loads(text)["reason"] for _, text in letters] == ["late"] * late
    if late:
        assert "complete up to 1970-01-01T00:16:40" in json.loads(letters[0][1])["detail"]


def test_letters_about_a_long_late_message_are_readable_and_name_one_asset_each(job_spec):
    routes = SensorIndex(job_spec(**ONE_SHARD))
    shard = TaskRows(routes, (0,))
    shard.take(readings(routes, *((name, "a", 10**6 - age, 1) for name in ("p1", "p2") for age in (1_000, 0))), 0.0)
    late = readings(routes, *((asset, "a", 1_000 * second, 1.0) for second in range(450) for asset in ("p1", "p2")))
    _, letters = shard.take(late._replace(offset=np.full(900, 7), partition=np.zeros(900, np.int64)), 0.0)
    payloads = [json.loads(json.loads(letter)["payload"]) for _, letter in letters]
    assert [len(payload) for payload in payloads] == [200, 200, 50] * 2
    assert [{entry["asset"] for entry in payload} for payload in payloads] == [{"p1"}] * 3 + [{"p2"}] * 3
    assert sum(json.loads(letter)["count"] for _, letter in letters) == 900
    assert shard.late_by == {"p1": (450, 10**6), "p2": (450, 10**6)}


def test_a_letter_names_the_rows_of_the_running_job_not_those_of_a_drained_one(job_spec):
    routes = SensorIndex(job_spec(made_until={"p1": MADE}, **ONE_SHARD))
    shard = TaskRows(routes, (0,))
    shard.take(readings(routes, ("p1", "a", 9 * MADE - 1_000, 1), ("p1", "a", 9 * MADE, 1)), 0.0)
    _, ((_, letter),) = shard.take(readings(routes, ("p1", "a", 8 * MADE, 1)), 0.0)
    assert iso(9 * MADE - 2_001) in json.loads(letter)["detail"]


def test_a_polled_unchanged_value_is_counted_without_a_letter(job_spec):
    """Its row has been made; a change at the same instant is a conflict, and late."""
    routes = SensorIndex(job_spec(assets={"p1": "pump"}, **ONE_SHARD))
    shard, start = TaskRows(routes, (0,)), 1_000_000
    sent = [("p1", "b", start, 1.0), ("p1", "a", start, 1.0)]
    for second in range(1, 30):
        value = {17: 2.0, 18: 2.0, 25: math.nan}.get(second, 1.0)
        sent += [("p1", "a", start + 1_000 * second, 1.0), ("p1", "b", start, value)]
    for split in (1, 5, len(sent)):
        shard, letters = TaskRows(routes, (0,)), []
        for begin in range(0, len(sent), split):
            _, more = shard.take(readings(routes, *sent[begin : begin + split]), 1_000.0 * begin)
            letters += more
        refused = [json.loads(json.loads(letter)["payload"])["value"] for _, letter in letters]
        assert refused == [2.0, 1.0, None, 1.0]  # every change is told once
        assert (shard.repeated, shard.conflicts) == (29 - 2 - 4, 2)
        assert len(shard.pending(0)[0]) == len(sent) - shard.repeated - len(letters)
        assert shard.late_by["p1"][0] == len(letters)


def test_a_late_value_that_is_polled_again_is_told_once(job_spec):
    routes = SensorIndex(job_spec(assets={"p1": "pump"}, **ONE_SHARD))
    shard, start, letters = TaskRows(routes, (0,)), 1_000_000, []
    for second in range(30):
        sent = [("p1", "a", start + 1_000 * second, 1.0)] + [("p1", "b", start + 5_000, 7.0)] * (second > 20)
        letters += shard.take(readings(routes, *sent), 1_000.0 * second)[1]
    assert len(letters) == 1 and shard.repeated == 8


def test_repeated_values_are_no_disorder_after_a_restart_either(job_spec):
    """Two sensors repeat old values, one is live."""
    spec = job_spec(classes=(class_spec(sensors=("a", "b", "c"), units=("",) * 3, low=(None,) * 3, high=(None,) * 3),),
                    assets={"p1": "pump"}, **ONE_SHARD)  # fmt: skip
    routes = SensorIndex(spec)
    shard = TaskRows(routes, (0,))
    start = 1_000_000
    shard.take(readings(routes, ("p1", "b", start, 1), ("p1", "c", start + 500, 1)), 0.0)
    for second in range(1, 60):
        shard.take(readings(routes, ("p1", "a", start + 1_000 * second, 1)), 1_000.0 * second)
        rows_until(shard, start + 1_000 * (second - 3))
    later = TaskRows(routes, (0,))
    later.restore(pickle.loads(pickle.dumps(shard.state(0))))  # noqa: S301
    for second in range(60, 70):
        repeated = ("p1", "b", start, 1), ("p1", "c", start + 500, 1)
        later.take(readings(routes, ("p1", "a", start + 1_000 * second, 1), *repeated), 1_000.0 * second)
    later.complete(69_000.0)
    assert later._until[0].tolist() == [start + 69_000 - 2_001]
