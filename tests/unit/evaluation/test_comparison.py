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
from eugenie_cli.evaluation.labels import Label, Labels
from eugenie_cli.evaluation.performance import Judgement, summarise

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
    one, other = (
        summarise([each], step_ms=1_000, with_labels=with_labels, longest_buffer=20) for each in (first, second)
    )
    return comparison.differences(one, other)


@pytest.fixture
def labelled() -> np.ndarray:
    label = np.zeros(4_000, bool)
    for start in range(300, 4_000, 400):
        label[start : start + 50] = True
    return label


@pytest.mark.slow
def test_the_same_scores_differ_by_nothing_and_that_is_sure(labelled):
    score = np.random.default_rng(0).random(4_000) + labelled
    found = compared(judgement(score, labelled, 5), judgement(score, labelled, 5))
    assert set(found) >= {"f1", "far", "mar", "vus_pr", "detected", "delay_s", "false_alarms_per_asset_day"}
    assert {(one.value, one.low, one.high) for one in found.values()} == {(0, 0, 0)}


@pytest.mark.slow
def test_a_clear_improvement_is_clear_and_a_chance_is_not(labelled):
    random = np.random.default_rng(1)
    noise = random.random(4_000)
    weak = np.where(labelled, 0.6 + noise, noise)  # finds sixty of a hundred labelled rows
    strong = np.where(labelled, 1.1 + noise, noise)
    found = compared(judgement(weak, labelled, 20, false=6), judgement(strong, labelled, 5))
    assert found["f1"].clear and found["f1"].value > 0.2
    assert found["mar"].clear and found["mar"].high < 0
    assert found["vus_pr"].low <= found["vus_pr"].value <= found["vus_pr"].high
    assert (found["delay_s"].value, found["delay_s"].high) == (-15, -15)
    assert found["false_alarms_per_asset_day"].value < 0
    again = np.where(labelled, 0.6 + random.permutation(noise), noise)
    assert not compared(judgement(weak, labelled, 5), judgement(again, labelled, 5))["f1"].clear


def test_without_labels_the_rate_of_alarms_is_compared(labelled):
    none = np.zeros(4_000, bool)
    quiet, loud = np.full(4_000, 0.5), np.where(np.arange(4_000) % 10 == 0, 2.0, 0.5)
    found = compared(judgement(quiet, none, 0), judgement(loud, none, 0, false=9), with_labels=False)
    assert found["flagged"].value == pytest.approx(0.1) and found["flagged"].clear
    assert "f1" not in found


def test_too_few_rows_for_an_interval_give_none(labelled):
    few = labelled[250:370]
    found = compared(judgement(few + 0.5, few, 5), judgement(few + 0.6, few, 5))
    assert found["f1"].value == 0 and found["f1"].low is None
    assert found["detected"].low is None


@pytest.mark.slow
def test_an_evaluation_says_both_versions_and_their_difference(plant, tmp_path):
    export(tmp_path / "4", version=4, factor=0.5)
    target = plant.resolve(plant.workspace) / "models" / "pump" / "4"
    if not target.exists():
        (tmp_path / "4").rename(target)
    one = evaluate_class(plant, "pump", LABELS, version=3, candidate=4, with_baselines=False)
    assert one.candidate is not None and one.candidate.version == 4
    assert one.judged_rows > ROWS - NORMAL_ROWS
    said = json.loads(json.dumps(one.to_json()))
    assert (said["version"], said["candidate"]["version"]) == (3, 4)
    assert said["candidate"]["point"]["recall"] < said["point"]["recall"]
    gap = said["difference"]["recall"]
    assert gap["value"] == pytest.approx(said["candidate"]["point"]["recall"] - said["point"]["recall"])
    assert gap["low"] <= gap["value"] <= gap["high"]
    alone = evaluate_class(plant, "pump", LABELS, version=4, with_baselines=False).to_json()
    assert alone["point"] == said["candidate"]["point"] and alone["events"] == said["candidate"]["events"]
    out, err = io.StringIO(), io.StringIO()
    _show(Console(out, err), one)
    (line,) = (line for line in out.getvalue().splitlines() if line.strip().startswith("MAR"))
    assert "+" in line
    assert METHOD in " ".join(err.getvalue().split())
