"""The report of two versions: the figures of both, the gate's verdict, and where they differ."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from support.sample_reports import FAULT, SENSORS, START, STEP, backtest_of, report_of, site

from eugenie_cli.evaluation.collector import Collector
from eugenie_cli.evaluation.comparison_table import comparison_rows
from eugenie_cli.evaluation.downsampling import score_on
from eugenie_cli.evaluation.evaluation_report import EvaluationReport
from eugenie_cli.evaluation.page.comparison import versus
from eugenie_cli.evaluation.page.render import render
from eugenie_cli.evaluation.page.summary import summary
from eugenie_cli.evaluation.promotion_gate import judge
from eugenie_cli.site.labels import Label, Labels
from eugenie_cli.site.promotion import PromotionGate

NAMES = [f"p-{number}" for number in range(9)]


@pytest.fixture(scope="module")
def report() -> EvaluationReport:
    return report_of(NAMES, beside=True)


@pytest.fixture(scope="module")
def page(report: EvaluationReport) -> str:
    return render(report)


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page[page.index("<body>") :]).split())


@pytest.mark.slow
def test_the_page_has_every_figure_of_both_with_its_interval(report, page):
    text = text_of(page)
    rows = list(comparison_rows(report.evaluation.model, report.evaluation.candidate))
    assert len(rows) > 8 and any(cells[4] != "-" for cells in rows)
    for name, first, second, difference, interval, verdict in rows:
        row_text = " ".join((name, first, second, difference, *([verdict] if verdict else [])))
        assert row_text + ("" if interval == "-" else f" {interval}") in text


@pytest.mark.slow
def test_the_gate_speaks_in_words_and_a_condition_that_fails_is_marked(report):
    comparison = versus(report)
    assert comparison.verdict == "poor"
    against, *others = [condition.text for condition in comparison.conditions if condition.verdict == "poor"]
    assert against.startswith("false alarms per asset and day: ")
    assert [text.partition(":")[0] for text in others] == ["share of quiet rows above 1", "quiet time in alarm"]
    assert len(comparison.conditions) == 8
    assert "no gate" in comparison.basis
    assert against in summary(report)[0].text

    gate = PromotionGate(alarm_factor=10)
    accepted = versus(replace(report, gate=gate))
    assert accepted.verdict == "good" and {condition.verdict for condition in accepted.conditions} == {"good"}
    assert "no gate" not in accepted.basis
    assert summary(replace(report, gate=gate))[0].verdict == "good"


@pytest.mark.slow
def test_assets_come_worst_first(report):
    comparison = versus(report)
    found = [row[comparison.asset_columns.index("faults found")] for row in comparison.assets]
    assert found[:3] == ["1 → 0 of 1"] * 3  # every first of three
    assert found[3:6] == ["1 of 1"] * 3
    assert found[6:] == ["0 → 1 of 1"] * 3  # every third fault, which the champion missed
    false = [row[comparison.asset_columns.index("false alarms")] for row in comparison.assets[:3]]
    assert false[0] == "0 → 1"


@pytest.mark.slow
def test_a_picture_of_a_fault_has_both_scores_and_what_both_made_of_it(report, page):
    pictures = page[page.index('id="s-faults"') : page.index('id="s-load"')]
    figures = re.findall(r"<figure.*?</figure>", pictures, re.S)
    assert len(figures) == len(NAMES)
    assert all('class="score"' in figure and 'class="beside"' in figure for figure in figures)
    assert sum("version 8: missed" in figure for figure in figures) == 3
    # faults that either version missed come before those that both found
    missed = ["missed" in figure for figure in figures]
    assert missed == sorted(missed, reverse=True) and sum(missed) == 6


def test_alone_there_is_nothing_of_a_second_version():
    report = report_of(NAMES[:2])
    alone = render(report)
    assert report.verdict() is None and versus(report) is None
    assert "s-versus" not in alone and 'class="beside"' not in alone
    assert "candidate" not in report.to_json()


def test_without_labels_alarms_are_compared():
    report = report_of(NAMES[:3], labelled=False, beside=True)
    comparison = versus(report)
    assert comparison.asset_columns[1] == "alarms"
    assert "rows above 1" in [figure.name for figure in comparison.figures]
    assert "faults found" not in " ".join(condition.text for condition in comparison.conditions)
    assert 'class="beside"' in render(report)


def test_the_json_says_the_candidate_as_fully_and_the_verdict(report):
    document = json.loads(json.dumps(report.to_json()))
    candidate, verdict = document["candidate"], document["verdict"]
    assert len(candidate["event_list"]) == len(document["event_list"]) == len(NAMES)
    assert [event["delay_s"] for event in candidate["event_list"]].count(None) == 3
    assert sum(asset["false_alarms"] for asset in candidate["by_asset"]) == 9
    assert sum(asset["false_alarms"] for asset in document["by_asset"]) == 4
    # the same verdict as from two separate evaluations
    alone = {**document, **candidate}
    again = judge(alone, document, report.gate)
    assert (verdict["promote"], tuple(verdict["reasons"])) == (again.promote, again.reasons)


def test_scores_are_laid_on_the_other_versions_edges():
    backtest = backtest_of("p-0", 0, 100)
    later = replace(backtest, edges=backtest.edges[10:], score=backtest.score[10:])
    aligned = score_on(backtest.edges, later)
    assert np.isnan(aligned[:10]).all()
    assert np.array_equal(aligned[10:], backtest.score[10:], equal_nan=True)
    assert np.array_equal(score_on(later.edges, backtest), later.score, equal_nan=True)


def test_a_study_without_pictures_of_faults_still_counts_them():
    labels = Labels((Label("p-0", START + FAULT[0] * STEP, START + FAULT[1] * STEP, (SENSORS[0],)),))
    study = Collector(site().fleet("pump"), labels, event_pictures=0)
    backtest = backtest_of("p-0", 0, 720)
    study.add(backtest, ~np.isnan(backtest.rows).all(axis=1))
    findings = study.findings()
    assert len(findings.events) == 1 and findings.event_traces == ()
