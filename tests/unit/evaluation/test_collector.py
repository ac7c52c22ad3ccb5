"""What a collector keeps of an evaluation. `conftest` describes the plant's history."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from support.sample_reports import report_of
from support.scored_plant import FAULT, GAP, NORMAL_ROWS, ROWS, START, STEP

from eugenie_cli.detection.metrics import Raised
from eugenie_cli.evaluation.backtest import backtest
from eugenie_cli.evaluation.collector import Collector
from eugenie_cli.evaluation.coverage import coverage_of, spans, watched
from eugenie_cli.evaluation.daily_counts import day_counts
from eugenie_cli.evaluation.downsampling import trace
from eugenie_cli.evaluation.evaluate import evaluate_class
from eugenie_cli.evaluation.options import EvaluationOptions
from eugenie_cli.evaluation.timeline import TimelineSum
from eugenie_cli.evaluation.top_k import TopK
from eugenie_cli.site.labels import Label, Labels
from eugenie_cli.training.open_class import open_class

LABELS = Labels((
    Label("p-1", START + FAULT.start * STEP, START + FAULT.stop * STEP, ("flow",)),
    Label("p-2", START + 900 * STEP, START + 950 * STEP, ("pressure",)),
))  # fmt: skip


@pytest.fixture(scope="module")
def judged(plant):
    study = Collector(plant.fleet("pump"), LABELS)
    return evaluate_class(
        open_class(plant, "pump"), EvaluationOptions(LABELS, version=3), watch=study
    ), study.findings()


@pytest.mark.slow
def test_it_agrees_with_the_figures_of_the_evaluation(judged):
    evaluation, findings = judged
    detected = [event for event in findings.events if event.detected is not None]
    assert (
        (len(findings.events), len(detected))
        == (evaluation.model.events.total, evaluation.model.events.detected)
        == (2, 1)
    )
    assert detected[0].delay_s == evaluation.model.events.delay_median
    assert sum(asset.false_alarms for asset in findings.assets) == evaluation.model.events.false_alarms
    assert (
        findings.load.alarms == sum(asset.alarms for asset in findings.assets) == findings.timeline.counts[:, 4].sum()
    )
    assert (
        sum(asset.judged_rows for asset in findings.assets)
        == evaluation.judged_rows
        == findings.timeline.counts[:, 0].sum()
    )
    assert sum(rates.rows for rates in findings.phases.values()) == evaluation.judged_rows
    assert findings.phases["during"].rows == len(FAULT) + 50
    assert findings.load.hours == pytest.approx((ROWS - NORMAL_ROWS + 1) * STEP / 3_600_000)


@pytest.mark.slow
def test_the_fault_is_blamed_on_its_sensor_at_the_alarm_and_afterwards(judged):
    _, findings = judged
    (fault,) = [event for event in findings.events if event.asset == "p-1"]
    (missed,) = [event for event in findings.events if event.asset == "p-2"]
    assert (fault.blamed[0].sensor, fault.blamed[0].right) == ("flow", True)
    assert (fault.blamed_at_alarm[0].sensor, fault.blamed_at_alarm[0].right) == ("flow", True)
    assert (missed.detected, missed.blamed_at_alarm) == (None, ())
    assert findings.root_cause_at_alarm.events == 2
    assert findings.root_cause_at_alarm.hit_at_1 == 0.5  # a missed fault blames no sensor


@pytest.mark.slow
def test_the_worst_faults_are_drawn_first_with_what_was_normal_beside_them(judged):
    _, findings = judged
    (missed, _), (fault, picture) = findings.event_traces
    assert (missed.asset, fault.asset) == ("p-2", "p-1")
    assert picture.start < fault.start and picture.end > fault.end
    assert picture.labelled == ((fault.start, fault.end),)
    assert [strand.sensor for strand in picture.strands] == ["flow", "pressure"]
    assert np.nanmax(picture.score) == pytest.approx(fault.peak)
    assert (fault.detected, picture.strands[0].unit) == (picture.alarms[0][0], "l/s")


@pytest.mark.slow
def test_gaps_are_found_where_they_are(judged):
    _, findings = judged
    first, second = (asset.coverage for asset in findings.assets)
    gap = (START + (GAP.start + 1) * STEP, START + GAP.stop * STEP)  # a value lives for one step
    assert first.gaps == (gap,)
    assert first.present == pytest.approx(1 - (len(GAP) - 1) / first.rows)
    assert (second.gaps, second.present, second.missing) == ((), 1.0, ())


@pytest.mark.slow
def test_without_labels_nothing_is_called_false(plant):
    study = Collector(plant.fleet("pump"), None)
    evaluate_class(open_class(plant, "pump"), EvaluationOptions(version=3), watch=study)
    findings = study.findings()
    assert (findings.labelled, findings.events, findings.phases, findings.root_cause_at_alarm) == (
        False,
        (),
        None,
        None,
    )
    assert {asset.false_alarms for asset in findings.assets} == {None}
    assert {alarm.false for alarm in findings.alarms} == {None}
    assert findings.alarm_traces[0][0].peak == max(alarm.peak for alarm in findings.alarms)


def test_the_json_has_the_evaluations_members_and_the_reports():
    report = report_of(["p-1", "p-2", "p-3"])
    document = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert set(report.evaluation.to_json()) < set(document)
    assert document["alarm_load"]["per_hour"] == report.findings.load.per_hour
    assert set(document["phases"]) == {"elsewhere", "before", "during", "after"}
    assert document["root_cause_at_alarm"].keys() == document["root_cause"].keys()
    assert [event["detected"] for event in document["event_list"]][2] is None
    assert [asset["asset"] for asset in document["by_asset"]] == ["p-1", "p-2", "p-3"]
    assert document["by_asset"][0]["data"]["gaps"] == [
        {"start": "2026-01-01T00:33:20.000Z", "end": "2026-01-01T00:38:20.000Z"}
    ]
    assert document["calibration"]["assets"][1]["thin"] is True
    unknown = report_of(["p-1"], labelled=False, known=False).to_json()
    assert (unknown["event_list"], unknown["phases"], unknown["calibration"]) == (None, None, None)
    assert "registry" in unknown["training"]["unknown"]


def test_the_page_of_the_documents_names_every_member_of_the_json():
    page = (Path(__file__).parents[3] / "docs" / "evaluation.md").read_text()
    named = set(re.findall(r"`([\w@]+)`", page.split("## The JSON")[1]))
    document = report_of(["p-1"]).to_json()
    members = {*document, *document["alarm_load"], *document["phases"], *document["event_list"][0]}
    members |= {*document["by_asset"][0], *document["by_asset"][0]["data"], *document["root_cause"]}
    members |= {*document["calibration"], *document["calibration"]["assets"][0], *document["training"]} - {"asset"}
    assert members - named == set()


def test_an_operators_clock_goes_on_through_a_short_pause():
    edges = np.arange(0, 3_600_000, 60_000)
    judged = np.ones(60, bool)
    judged[10:15] = judged[30:50] = False
    assert spans(edges, judged, 60_000) == [(0, 600_000), (900_000, 1_800_000), (3_000_000, 3_600_000)]
    assert watched(edges, judged, 60_000) == [(0, 1_800_000), (3_000_000, 3_600_000)]


def test_coverage_of_nothing_and_of_a_sensor_that_is_dead():
    nothing = coverage_of(np.zeros(0, np.int64), np.zeros((0, 1), np.float32), np.zeros(0), ["a"], 1000)
    assert (nothing.rows, nothing.present, nothing.first) == (0, None, None)
    rows = np.array([[1, np.nan], [2, np.nan], [np.nan, np.nan], [3, 1]], np.float32)
    coverage = coverage_of(np.arange(4) * 1000, rows, np.array([np.nan, 1, np.nan, 1]), ["a", "b"], 1000)
    assert (coverage.present, coverage.scored) == (0.75, pytest.approx(2 / 3))
    assert coverage.gaps == ((2000, 3000),)
    assert coverage.missing == (("b", pytest.approx(2 / 3)),)


def test_days_are_the_plants_own_even_when_a_clock_is_changed():
    # on 2026-03-29 Berlin's day has 23 hours
    start = 1_774_738_800_000  # 2026-03-29T00:00 there
    edges = np.arange(start, start + 24 * 3_600_000, 3_600_000)
    alarm = Raised("a", start, start + 23 * 3_600_000, start + 24 * 3_600_000)
    first, second = day_counts("Europe/Berlin", edges, 3_600_000, [alarm], [])
    assert (first.day, first.judged_s, first.alarms, first.false_alarms) == ("2026-03-29", 23 * 3600, 0, 0)
    assert (second.day, second.judged_s, second.alarms) == ("2026-03-30", 3600, 1)


@pytest.mark.slow
@pytest.mark.parametrize("days, width", [(0.2, 10), (1, 30), (40, 1440), (3000, 40_320 * 2)])
def test_a_timeline_has_no_more_intervals_than_can_be_drawn(days, width):
    total = TimelineSum()
    edges = np.arange(0, int(days * 86_400_000), 600_000)
    flagged = np.arange(len(edges)) >= len(edges) / 2
    for _ in range(2):
        total.add_rows(edges, np.ones(len(edges), bool), flagged, flagged)
        total.add_alarms(edges[:3], edges[:1])
    timeline = total.finished()
    assert timeline.interval_ms <= width * 60_000
    assert len(timeline.start) <= 120
    assert timeline.counts.sum(axis=0)[[0, 4, 5]].tolist() == [2 * len(edges), 6, 2]
    before, after = total.halves()
    assert before == pytest.approx(0, abs=0.1) and after == pytest.approx(1, abs=0.1)


@pytest.mark.slow
def test_a_trace_keeps_peaks_however_many_rows_there_are(plant):
    scored = next(iter(backtest(open_class(plant, "pump"), version=3)))
    whole = (int(scored.edges[0]), int(scored.edges[-1]) + 1)
    picture = trace(scored, whole, labelled=(), alarms=(), sensors=[(1, "flow", "l/s", 0.5)], points=50)
    assert len(picture.score) <= 50 and picture.rows_per_point * len(picture.score) >= len(scored.edges)
    assert np.nanmax(picture.score) == np.nanmax(scored.score)
    assert np.nanmax(picture.strands[0].high) == np.nanmax(scored.rows[:, 1])
    assert trace(scored, (0, 10), labelled=(), alarms=()) is None


def test_the_worst_are_kept_in_order():
    worst = TopK(2)
    assert worst.would_take(0.0)
    for weight, name in ((1.0, "a"), (3.0, "b"), (2.0, "c"), (3.0, "d")):
        worst.add(weight, name)
    assert worst.in_order() == ["b", "d"]
    assert not worst.would_take(3.0) and worst.would_take(3.5)
