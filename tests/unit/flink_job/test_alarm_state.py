"""The alarm desk: one score record a row, anomalies by the episode machine, silence, and a state to go on from."""

from __future__ import annotations

import json

import numpy as np

from eugenie_cli.flink_job.alarm_state import ANOMALY, SCORE, AlarmState
from eugenie_cli.flink_job.grid import Batch
from eugenie_cli.flink_job.predict import ScoredBatch


def scored(scores: list[list[float]], first_edge: int = 1_000, assets=("p1", "p2"), readings: int = 2) -> ScoredBatch:
    score = np.array(scores, np.float32)
    count, steps = score.shape
    rows = np.tile(np.arange(2, dtype=np.float32), (count, steps, 1))
    taken = np.full((count, steps), readings, np.int32)
    batch = Batch("pump", tuple(assets[:count]), first_edge, 1_000, rows, taken, taken * 0)
    share = np.tile(np.array([0.25, 0.75], np.float32), (count, steps, 1))
    return ScoredBatch(batch, score, share, rows + 10, 7)


def records(desk: AlarmState, batch: ScoredBatch) -> list[tuple[str, str, dict]]:
    return [(kind, key, json.loads(text)) for kind, key, text in desk.take(batch)]


def test_every_row_with_a_reading_or_a_score_is_a_score_record(job_spec):
    desk = AlarmState(job_spec())
    found = records(desk, scored([[0.5, np.nan]]))
    assert [(kind, key, one["ts"], one["score"], one["readings"], one["model"]) for kind, key, one in found] == [
        (SCORE, "p1", "1970-01-01T00:00:01.000Z", 0.5, 2, {"name": "pump", "version": 7}),
        (SCORE, "p1", "1970-01-01T00:00:02.000Z", None, 2, None),
    ]
    assert records(desk, scored([[np.nan]], first_edge=3_000, readings=0)) == []


def test_an_anomaly_opens_names_its_sensors_and_closes(job_spec):
    desk = AlarmState(job_spec())
    found = [one for kind, _, one in records(desk, scored([[0.1, 3.0, 3.0, 0.2, 0.2]])) if kind == ANOMALY]
    assert [(one["state"], one["start"][17:19], one["end"] and one["end"][17:19], one["reason"]) for one in found] == [
        ("open", "02", None, None),
        ("closed", "02", "04", "recovered"),
    ]
    assert [(one["sensor"], one["contribution"], one["value"], one["forecast"]) for one in found[0]["sensors"]] == [
        ("b", 0.75, 1.0, 11.0),
        ("a", 0.25, 0.0, 10.0),
    ]
    assert found[0]["id"] == found[1]["id"]


def test_one_segment_or_many_give_the_same_anomalies(job_spec):
    scores = [0.1, 2.0, 2.0, 5.0, np.nan, 0.5, 2.0, 0.5, 0.5, 2.0, 2.0, 2.0]
    whole = [one for one in records(AlarmState(job_spec()), scored([scores])) if one[0] == ANOMALY]
    desk, pieces = AlarmState(job_spec()), []
    for index, score in enumerate(scores):
        pieces += [one for one in records(desk, scored([[score]], 1_000 * (index + 1))) if one[0] == ANOMALY]
        state = desk.state()
        desk = AlarmState(job_spec())
        desk.restore(json.loads(json.dumps(state)))
    assert pieces == whole
    assert len(whole) >= 3


def test_an_asset_that_falls_silent_is_closed_by_event_time(job_spec):
    desk = AlarmState(job_spec())
    records(desk, scored([[3.0, 3.0], [3.0, 3.0]]))
    records(desk, scored([[3.0, 3.0]], first_edge=3_000))  # p2 sends no more
    assert desk.next_deadline() == 2_000 + 5_000 + 1
    closed = [json.loads(text) for _, _, text in desk.close_silent(7_001)]
    assert [(one["asset"], one["reason"], one["end"][17:19]) for one in closed] == [("p2", "silent", "02")]
    assert desk.next_deadline() == 4_000 + 5_000 + 1
    assert [key for _, key, _ in desk.close_all()] == ["p1"]
    assert desk.next_deadline() is None
