"""A shard takes the front's texts: routing, unknown tags, late readings, and a state that goes on where it was."""

from __future__ import annotations

import json
import pickle

import numpy as np

from eugenie_cli.streamjob.front_sql import FIELD_SEPARATOR, ITEM_SEPARATOR
from eugenie_cli.streamjob.kept import Kept
from eugenie_cli.streamjob.shard import Routes, Shard
from eugenie_cli.streamjob.spec import AssetSpec

from .conftest import class_spec


def item(asset="", sensor="", tag="", ts=0, value="1.5") -> str:
    return FIELD_SEPARATOR.join((asset, sensor, tag, str(ts), value))


def items(*ones: str) -> str:
    return ITEM_SEPARATOR.join(ones)


def test_readings_are_routed_by_sensor_by_tag_and_by_tag_alone(job_spec):
    spec = job_spec(assets={"p1": "pump"})
    spec = job_spec(assets=None, classes=spec.classes)
    spec = type(spec)(
        **{**spec.__dict__, "assets": (AssetSpec("p1", "pump", {"a": "PT-1"}), AssetSpec("p2", "pump", {}))}
    )
    shard = Shard(Routes(spec))
    assert shard.take(items(item("p1", "a", ts=900, value="1"), item("p2", tag="b", ts=900, value="2"))) == []
    assert shard.take(item(tag="PT-1", ts=950, value="3")) == []
    (batch,) = shard.advance(1_000)
    assert batch.assets == ("p1", "p2")
    np.testing.assert_array_equal(batch.rows[:, -1], np.array([[3.0, np.nan], [np.nan, 2.0]], np.float32))


def test_classes_have_steps_of_their_own(job_spec):
    slow = class_spec(
        "tank", sensors=("level",), units=("m",), low=(None,), high=(None,), step_ms=5_000, max_gap_ms=9_000
    )
    spec = job_spec(classes=(class_spec(), slow), assets={"p1": "pump", "t1": "tank"})
    assert spec.base_step_ms == 1_000
    shard = Shard(Routes(spec))
    for second in range(1, 6):
        shard.take(items(item("p1", "a", ts=1_000 * second), item("t1", "level", ts=1_000 * second, value=str(second))))
    made = shard.advance(5_000)
    assert {batch.class_name: (batch.first_edge, batch.readings.tolist()) for batch in made} == {
        "pump": (1_000, [[1, 1, 1, 1, 1]]),
        "tank": (5_000, [[5]]),
    }


def test_an_unknown_tag_is_one_dead_letter_with_a_count(job_spec):
    shard = Shard(Routes(job_spec()))
    letters = shard.take(
        items(item("p1", "zz", ts=1), item("p1", "zz", ts=2), item("nobody", "a", ts=3), item("p1", "a", ts=4))
    )
    found = [json.loads(letter) for letter in letters]
    assert [(one["reason"], json.loads(one["payload"]), one["count"]) for one in found] == [
        ("unknown-tag", {"asset": "p1", "sensor": "zz"}, 2),
        ("unknown-tag", {"asset": "nobody", "sensor": "a"}, 1),
    ]


def test_a_reading_for_a_row_that_is_made_is_a_late_dead_letter(job_spec):
    shard = Shard(Routes(job_spec()))
    shard.take(item("p1", "a", ts=1_000))
    shard.advance(1_000)
    (letter,) = shard.take(items(item("p1", "a", ts=500), item("p1", "a", ts=1_500)))
    assert (json.loads(letter)["reason"], json.loads(letter)["count"]) == ("late", 1)


def test_the_state_goes_on_where_it_was_when_the_site_gains_and_loses_assets(job_spec):
    shard = Shard(Routes(job_spec()))
    shard.take(items(item("p1", "a", ts=1_000, value="1"), item("p2", "a", ts=1_000, value="2")))
    shard.advance(1_000)
    shard.take(items(item("p1", "a", ts=1_700, value="7"), item("p2", "b", ts=1_700, value="8")))
    kept = pickle.loads(pickle.dumps(Kept(shard)))  # noqa: S301
    assert isinstance(kept, dict)
    later = Shard(Routes(job_spec(assets={"p3": "pump", "p2": "pump"})))
    later.restore(kept)
    (batch,) = later.advance(2_000)
    assert batch.assets == ("p2",)
    np.testing.assert_array_equal(batch.rows[0, -2:], np.array([[2.0, np.nan], [2.0, 8.0]], np.float32))
