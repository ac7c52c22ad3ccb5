"""The classical detectors on real testbed data, by the published protocol: 400 rows of each run are normal."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from eugenie_cli.detection.alarm_policy import AlarmPolicy
from eugenie_cli.detection.baselines import BASELINES, fit
from eugenie_cli.detection.detectors import registry
from eugenie_cli.detection.metrics import point_metrics

PROJECT = Path(__file__).parents[4]
RUNS = PROJECT / os.environ.get("EUGENIE_DATA", "../shared/data") / "skab" / "valve1"
NORMAL, TRAINED, SENSORS = 400, 300, 8


@pytest.fixture(scope="module")
def runs() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Rows [T, 8] and labels [T] of each run."""
    if not RUNS.is_dir():
        pytest.skip(f"the SKAB runs are not in {RUNS}: set EUGENIE_DATA")
    runs_by_name = {}
    for path in sorted(RUNS.glob("*.csv")):
        with path.open(newline="") as file:
            rows = list(csv.reader(file, delimiter=";"))[1:]
        values = np.array([[float(value) for value in row[1 : 1 + SENSORS]] for row in rows])
        runs_by_name[path.stem] = (values, np.array([float(row[9]) > 0 for row in rows]))
    return runs_by_name


def figures(runs, name):
    detector = fit(
        BASELINES[name],
        {run: rows[:TRAINED] for run, (rows, _) in runs.items()},
        {run: rows[TRAINED:NORMAL] for run, (rows, _) in runs.items()},
        AlarmPolicy(0.01),
    )
    flagged = [detector.score(run, rows)[0][NORMAL:] > 1 for run, (rows, _) in runs.items()]
    labelled = [labels[NORMAL:] for _, labels in runs.values()]
    return point_metrics(np.concatenate(flagged), np.concatenate(labelled))


def test_flagging_everything_scores_what_the_share_of_anomalous_rows_says(runs):
    everything = figures(runs, "all-positive")
    assert everything.f1 == pytest.approx(0.70, abs=0.005)
    assert (everything.far, everything.mar) == (1.0, 0.0)
    assert figures(runs, "random").f1 == pytest.approx(0.51, abs=0.02)


@pytest.mark.slow
def test_the_moving_average_finds_a_closing_valve_that_single_rows_do_not_show(runs, tell):
    by_name = {name: figures(runs, name) for name in registry.CLASSICAL}
    for name, metrics in by_name.items():
        tell(f"{name}: F1 {metrics.f1:.3f}, FAR {metrics.far:.1%}, MAR {metrics.mar:.1%}")
    assert by_name["mewma"].f1 > 0.80
    assert by_name["mewma"].f1 > by_name["pca-t2"].f1 > by_name["isolation-forest"].f1 > by_name["pca-q"].f1
    assert all(metrics.far < 0.2 for metrics in by_name.values())
