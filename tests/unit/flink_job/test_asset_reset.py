"""The state of one asset is dropped when the job resumes, once; the others go on as if nothing had happened."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from eugenie_cli.flink_job.alarm_state import ANOMALY
from eugenie_cli.flink_job.sensor_index import SensorIndex
from eugenie_cli.flink_job.spec import JobSpec

from .conftest import build_spec, class_spec, readings
from .test_changed_site import Kept, Timers, alarms_of, scored
from .test_snapshot_journal import KeptShard, State, batches_of, made

SPEC = build_spec(shards=1, classes=(class_spec(window=40),), assets={"p1": "pump", "p2": "pump"})
ROUTES = SensorIndex(SPEC)
AHEAD = 100_000


def fed(spec: JobSpec, state: State, begin: int, end: int, ahead: int = 0) -> tuple[KeptShard, list[tuple]]:
    """A job that takes a reading per second of p1, `ahead` ms ahead, and of p2; and the rows that it made."""
    shard, rows = state.shard(spec), []
    for second in range(begin, end):
        now = 1_000 * second
        shard.take(readings(ROUTES, ("p1", "a", now + ahead, 1.0), ("p2", "a", now, 2.0)), float(now))
        rows += made(shard, float(now))
    return shard, rows


def edges(rows: list[tuple], asset: str) -> list[int]:
    """The edges of the first rows of segments."""
    return [first[assets.index(asset)] for assets, first, *_ in rows if asset in assets]


@pytest.mark.parametrize("journal", [True, False])
def test_one_asset_begins_anew_and_the_others_go_on(journal):
    """p1 was 100 s ahead; after the reset its right readings are taken, and its windows are empty."""
    seconds = 7 if journal else 40
    state, alone = State(), State()
    fed(SPEC, state, 1, seconds, AHEAD)
    fed(SPEC, alone, 1, seconds, AHEAD)
    assert (state.rows.content is None) == journal
    anew = replace(SPEC, reset_assets=("p1",), reset_ms=1_000 * seconds)
    shard, rows = fed(anew, state, seconds, seconds + 12)
    other, undisturbed = fed(SPEC, alone, seconds, seconds + 12, AHEAD)
    assert [json.loads(text)["reason"] for _, text in shard.orphans] == ["reset"] and other.orphans == []
    (letter,) = (json.loads(text) for _, text in shard.orphans)
    assert letter["count"] == 3 and {reading["asset"] for reading in json.loads(letter["payload"])} == {"p1"}

    assert edges(rows, "p2") == edges(undisturbed, "p2")
    assert min(edges(rows, "p1")) > 1_000 * seconds > 0 and max(edges(rows, "p1")) > 1_000 * (seconds + 7)
    first = next(batch for batch in rows if "p1" in batch[0])
    window = np.array(first[2])[first[0].index("p1")]
    assert (window[:39] == -1).all()  # of p1, nothing is left


def test_it_happens_once_whatever_the_job_resumes_from():
    state = State()
    fed(SPEC, state, 1, 20, AHEAD)
    anew = replace(SPEC, reset_assets=("p1",), reset_ms=20_000)
    assert state.shard(anew).reset_assets == ("p1",)
    assert state.shard(anew).reset_assets == () and state.shard(SPEC).reset_assets == ()
    assert state.shard(replace(anew, reset_ms=30_000)).reset_assets == ("p1",)
    assert state.shard(replace(anew, reset_assets=("p9",), reset_ms=40_000)).reset_assets == ()


@pytest.mark.parametrize(("ahead", "floor"), [(0, 16_000), (AHEAD, 20_000)])
def test_rows_are_not_made_again_unless_they_were_in_the_future(ahead, floor):
    state = State()
    fed(SPEC, state, 1, 20, ahead)
    shard = state.shard(replace(SPEC, reset_assets=("p1",), reset_ms=20_000))
    for _ in range(2):  # also after a restart
        sent = readings(ROUTES, *(("p1", "a", floor + more, 1.0) for more in (-400_000, 0, 1)))
        taken, letters = shard.rows.take(sent, 0.0)
        assert taken[1].tolist() == [floor + 1] and sum(json.loads(text).get("count", 1) for _, text in letters) == 2
        assert f"complete up to 1970-01-01T00:00:{floor // 1_000}.000Z" in json.loads(letters[0][1])["detail"]
        shard = state.shard(SPEC)


def test_the_open_anomaly_of_an_asset_is_closed_with_a_reason():
    spec, kept = replace(SPEC, classes=(class_spec(),)), Kept()
    alarms, shard = alarms_of(kept, spec), kept.shard(spec)
    for second in range(1, 10):
        shard.take(readings(ROUTES, *((asset, "a", 1_000 * second, 1.0) for asset in ("p1", "p2"))), 0.0)
        for batch in batches_of(shard, 0.0):
            list(alarms.take(scored(batch, 3.0), Timers()))
    later = alarms_of(kept, spec)
    assert list(later.begin(Timers())) == [] and later.has_open
    ((kind, asset, text),) = later.reset(("p1",), Timers())
    record = json.loads(text)
    assert (kind, asset, record["state"], record["reason"], record["end"]) == (
        ANOMALY, "p1", "closed", "reset", record["end"],
    )  # fmt: skip
    again = alarms_of(kept, spec)
    assert list(again.reset(("p1",), Timers())) == [] and again.has_open  # that of p2
