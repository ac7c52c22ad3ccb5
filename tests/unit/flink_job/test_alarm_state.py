"""The alarm state: one score record per row, anomalies by the state machine, silence, and a state to resume from."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from eugenie_cli.flink_job.alarm_state import ANOMALY, SCORE, AlarmState
from eugenie_cli.flink_job.grid import Batch
from eugenie_cli.flink_job.predict import ScoredBatch


def scored(scores: list[list[float]], first_edge: int = 1_000, assets=("p1", "p2"), readings: int = 2) -> ScoredBatch:
    score = np.array(scores, np.float32)
    count, steps = score.shape
    rows = np.tile(np.arange(2, dtype=np.float32), (count, steps, 1))
    taken = np.full((count, steps), readings, np.int32)
    batch = Batch(
        "pump",
        tuple(assets[:count]),
        np.full(count, first_edge),
        1_000,
        rows,
        taken,
        taken * 0,
        np.zeros(count, np.int64),
    )
    share = np.tile(np.array([0.25, 0.75], np.float32), (count, steps, 1))
    return ScoredBatch(batch, score, share, rows + 10, 7)


def records(alarm_state: AlarmState, batch: ScoredBatch) -> list[tuple[str, str, dict]]:
    return [(kind, key, json.loads(text)) for kind, key, text in alarm_state.take(batch)]


def test_every_row_with_a_reading_or_a_score_is_a_score_record(job_spec):
    alarm_state = AlarmState(job_spec())
    written = records(alarm_state, scored([[0.5, np.nan]]))
    assert [
        (kind, key, score["ts"], score["score"], score["readings"], score["model"]) for kind, key, score in written
    ] == [
        (SCORE, "p1", "1970-01-01T00:00:01.000Z", 0.5, 2, {"name": "pump", "version": 7}),
        (SCORE, "p1", "1970-01-01T00:00:02.000Z", None, 2, None),
    ]
    assert records(alarm_state, scored([[np.nan]], first_edge=3_000, readings=0)) == []


def test_an_anomaly_opens_names_its_sensors_and_closes(job_spec):
    alarm_state = AlarmState(job_spec())
    anomalies = [
        record for kind, _, record in records(alarm_state, scored([[0.1, 3.0, 3.0, 0.2, 0.2]])) if kind == ANOMALY
    ]
    states = [
        (record["state"], record["start"][17:19], record["end"] and record["end"][17:19], record["reason"])
        for record in anomalies
    ]
    assert states == [
        ("open", "02", None, None),
        ("closed", "02", "04", "recovered"),
    ]
    sensors = anomalies[0]["sensors"]
    assert [(entry["sensor"], entry["contribution"], entry["value"], entry["forecast"]) for entry in sensors] == [
        ("b", 0.75, 1.0, 11.0),
        ("a", 0.25, 0.0, 10.0),
    ]
    assert anomalies[0]["id"] == anomalies[1]["id"]


def test_one_segment_or_many_give_the_same_anomalies(job_spec):
    scores = [0.1, 2.0, 2.0, 5.0, np.nan, 0.5, 2.0, 0.5, 0.5, 2.0, 2.0, 2.0]
    whole = [record for record in records(AlarmState(job_spec()), scored([scores])) if record[0] == ANOMALY]
    alarm_state, pieces = AlarmState(job_spec()), []
    for index, score in enumerate(scores):
        new_records = records(alarm_state, scored([[score]], 1_000 * (index + 1)))
        pieces += [record for record in new_records if record[0] == ANOMALY]
        state = alarm_state.state()
        alarm_state = AlarmState(job_spec())
        alarm_state.restore(json.loads(json.dumps(state)))
    assert pieces == whole
    assert len(whole) >= 3


def test_an_asset_that_falls_silent_is_closed_by_its_own_clock(job_spec):
    alarm_state = AlarmState(job_spec())
    records(alarm_state, scored([[3.0, 3.0], [3.0, 3.0]]))
    records(alarm_state, scored([[3.0, 3.0]], first_edge=3_000))  # p2 stops sending
    clocks = {"p1": 7_001, "p2": 7_000}
    assert not alarm_state.silent(clocks.get) and list(alarm_state.close_silent(clocks.get)) == []
    clocks["p2"] = 2_000 + 5_000 + 1
    assert alarm_state.silent(clocks.get) == ["p2"]
    closed = [json.loads(text) for _, _, text in alarm_state.close_silent(clocks.get)]
    assert [(record["asset"], record["reason"], record["end"][17:19]) for record in closed] == [("p2", "silent", "02")]
    assert alarm_state.has_open and not alarm_state.silent(clocks.get)
    assert [key for _, key, _ in alarm_state.close_all()] == ["p1"]
    assert not alarm_state.has_open


def test_rows_of_delayed_readings_are_marked(job_spec):
    """Scores, and the events of anomalies, up to the last delayed row."""
    batch = scored([[3.0, 3.0, 0.5, 0.5, 0.5]])
    batch = replace(batch, batch=replace(batch.batch, delayed_until=np.array([3_000])))
    marked = [(kind, record.get("delayed")) for kind, _, record in records(AlarmState(job_spec()), batch)]
    assert [mark for kind, mark in marked if kind == SCORE] == [True, True, True, None, None]
    assert [mark for kind, mark in marked if kind == ANOMALY] == [True, None]
