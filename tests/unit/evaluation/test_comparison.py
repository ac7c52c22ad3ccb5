"""Champion and candidate on the same rows."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from support.scored_plant import FAULT, NORMAL_ROWS, ROWS, START, STEP, export

from eugenie_cli.commands.evaluate import _show
from eugenie_cli.console import Console
from eugenie_cli.detection.metrics import Interval, Raised
from eugenie_cli.evaluation.comparison import METHOD, Comparison
from eugenie_cli.evaluation.evaluate import evaluate_class
from eugenie_cli.evaluation.options import EvaluationOptions
from eugenie_cli.evaluation.performance import Judgement, summarise
from eugenie_cli.site.labels import Label, Labels
from eugenie_cli.training.open_class import open_class

LABELS = Labels((Label("p-1", START + FAULT.start * STEP, START + FAULT.stop * STEP, ("flow",)),))


def judgement(score: np.ndarray, labelled: np.ndarray, delay: int, false: int = 0) -> Judgement:
    """Faults of 50 rows, each found after `delay` rows, and `false` alarms of one row at the beginning."""
    starts = np.flatnonzero(np.diff(labelled.astype(int), prepend=0) == 1) * 1_000
    alarms = [Raised("p", start + delay * 1_000, start + delay * 1_000, start + 50_000) for start in starts.tolist()]
    alarms += [Raised("p", row * 1_000, row * 1_000, row * 1_000 + 1) for row in range(false)]
    edges = np.arange(len(score)) * 1_000
    on = np.zeros(len(score), bool)
    for alarm in alarms:
        on |= (edges >= alarm.detected) & (edges < alarm.end)
    return Judgement(
        score.astype(np.float32), labelled, on, ~labelled, tuple(alarms),
        tuple(Interval("p", start, start + 50_000) for start in starts.tolist()), (),
    )  # fmt: skip


def compared(first: Judgement, second: Judgement, with_labels: bool = True):
    comparison = Comparison(step_ms=1_000, window=20, with_labels=with_labels)
    comparison.add(np.arange(len(first.score)) * 1_000, first, second)
    own, other = (summarise([judged], step_ms=1_000, with_labels=with_labels) for judged in (first, second))
    return comparison.differences(own, other)


@pytest.fixture
def labelled() -> np.ndarray:
    label = np.zeros(4_000, bool)
    for start in range(300, 4_000, 400):
        label[start : start + 50] = True
    return label


@pytest.mark.slow
def test_the_same_scores_differ_by_nothing_and_that_is_sure(labelled):
    score = np.random.default_rng(0).random(4_000) + labelled
    differences = compared(judgement(score, labelled, 5), judgement(score, labelled, 5))
    assert set(differences) >= {"f1", "far", "mar", "vus_pr", "detected", "delay_s", "false_alarms_per_asset_day"}
    assert {(difference.value, difference.low, difference.high) for difference in differences.values()} == {(0, 0, 0)}


@pytest.mark.slow
def test_a_clear_improvement_is_clear_and_a_chance_is_not(labelled):
    random = np.random.default_rng(1)
    noise = random.random(4_000)
    weak = np.where(labelled, 0.6 + noise, noise)  # finds sixty of a hundred labelled rows
    strong = np.where(labelled, 1.1 + noise, noise)
    differences = compared(judgement(weak, labelled, 20, false=6), judgement(strong, labelled, 5))
    assert differences["f1"].clear and differences["f1"].value > 0.2
    assert differences["mar"].clear and differences["mar"].high < 0
    assert differences["vus_pr"].low <= differences["vus_pr"].value <= differences["vus_pr"].high
    assert (differences["delay_s"].value, differences["delay_s"].high) == (-15, -15)
    assert differences["false_alarms_per_asset_day"].value < 0
    again = np.where(labelled, 0.6 + random.permutation(noise), noise)
    assert not compared(judgement(weak, labelled, 5), judgement(again, labelled, 5))["f1"].clear


def test_without_labels_the_rate_of_alarms_is_compared(labelled):
    none = np.zeros(4_000, bool)
    quiet, loud = np.full(4_000, 0.5), np.where(np.arange(4_000) % 10 == 0, 2.0, 0.5)
    differences = compared(judgement(quiet, none, 0), judgement(loud, none, 0, false=9), with_labels=False)
    assert differences["flagged"].value == pytest.approx(0.1) and differences["flagged"].clear
    assert "f1" not in differences


def test_too_few_rows_for_an_interval_give_none(labelled):
    few = labelled[250:370]
    differences = compared(judgement(few + 0.5, few, 5), judgement(few + 0.6, few, 5))
    assert differences["f1"].value == 0 and differences["f1"].low is None
    assert differences["detected"].low is None


@pytest.mark.slow
def test_an_evaluation_says_both_versions_and_their_difference(plant, tmp_path):
    export(tmp_path / "4", version=4, factor=0.5)
    target = plant.resolve(plant.workspace) / "models" / "pump" / "4"
    if not target.exists():
        (tmp_path / "4").rename(target)
    evaluation = evaluate_class(
        open_class(plant, "pump"), EvaluationOptions(LABELS, version=3, candidate=4, with_baselines=False)
    )
    assert evaluation.candidate is not None and evaluation.candidate.version == 4
    assert evaluation.judged_rows > ROWS - NORMAL_ROWS
    document = json.loads(json.dumps(evaluation.to_json()))
    assert (document["version"], document["candidate"]["version"]) == (3, 4)
    assert document["candidate"]["point"]["recall"] < document["point"]["recall"]
    gap = document["difference"]["recall"]
    assert gap["value"] == pytest.approx(document["candidate"]["point"]["recall"] - document["point"]["recall"])
    assert gap["low"] <= gap["value"] <= gap["high"]
    alone = evaluate_class(
        open_class(plant, "pump"), EvaluationOptions(LABELS, version=4, with_baselines=False)
    ).to_json()
    assert alone["point"] == document["candidate"]["point"] and alone["events"] == document["candidate"]["events"]
    out, err = io.StringIO(), io.StringIO()
    _show(Console(out, err), evaluation)
    (line,) = (line for line in out.getvalue().splitlines() if line.strip().startswith("MAR"))
    assert "+" in line
    assert METHOD in " ".join(err.getvalue().split())
