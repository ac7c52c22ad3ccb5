"""Rows that are left out of training: labelled faults, and standing alarms of the champion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.store import AssetSummary
from eugenie_cli.site.schema import Site
from eugenie_cli.training.doubtful_rows import Stretch, labelled_faults, standing
from eugenie_cli.training.train import faults_of

WINDOW = 10


def rows_of(*parts: tuple[float, int]) -> np.ndarray:
    return np.concatenate([np.full(rows, score) for score, rows in parts])


@pytest.mark.parametrize(
    ("score", "left_out"),
    [
        (rows_of((0.5, 50), (2.0, 20), (0.5, 30)), (40, 70)),  # two windows, and the one before it
        (rows_of((0.5, 50), (2.0, 19), (0.5, 30)), None),
        (rows_of((0.5, 50), (2.0, 8), (0.5, 9), (2.0, 8), (0.5, 30)), (40, 75)),  # it returns within a window
        (rows_of((0.5, 50), (2.0, 15), (0.5, 10), (2.0, 15), (0.5, 30)), None),  # it does not
        (rows_of((0.5, 50), (2.0, 10), (np.nan, 5), (2.0, 10), (0.5, 30)), (40, 75)),  # unscored rows are a pause, too
        (rows_of((2.0, 20), (0.5, 30)), (0, 20)),
        (rows_of((0.5, 30), (np.inf, 20)), (20, 50)),  # still in alarm
        (rows_of((0.5, 5), (2.0, 40)), (0, 45)),
        (np.full(60, np.nan), None),
        (np.zeros(0), None),
    ],
)
def test_an_alarm_that_stands_for_two_windows_is_left_out(score, left_out):
    expected = np.zeros(len(score), bool)
    if left_out is not None:
        expected[slice(*left_out)] = True
    np.testing.assert_array_equal(standing(score.astype(np.float32), WINDOW), expected)


def site(folder: Path, asset: str = "", exclude: str = "", labels: str = "labels: faults.csv") -> Site:
    from eugenie_cli.site.load import load_site

    (folder / "plant.yaml").write_text(
        "site: plant\nclasses:\n  pump:\n    sensors: [{name: flow}]\n"
        f"    promotion: {{{labels}}}\n"
        f"assets:\n  p-1: {{class: pump{asset}}}\n  p-2: {{class: pump}}\n{exclude}"
    )
    return load_site(folder / "plant.yaml")


HOUR = 3_600_000
DAY = 1_767_225_600_000  # 2026-01-01
SUMMARIES = {"p-1": AssetSummary("p-1", 1_000, DAY, DAY + 24 * HOUR, ("logger",))}


@pytest.mark.parametrize(
    ("settings", "hours"),
    [
        ({}, [2, 20]),  # a fault of p-2 has no history, one on the next day none yet
        ({"labels": ""}, []),
        ({"exclude": "exclude: [{start: 2026-01-01T01:00Z, end: 2026-01-01T04:00Z}]\n"}, [20]),
        ({"exclude": "exclude: [{asset: p-2, start: 2026-01-01T01:00Z, end: 2026-01-01T04:00Z}]\n"}, [2, 20]),
        ({"exclude": "exclude: [{start: 2026-01-01T01:00Z, end: 2026-01-01T02:30Z}]\n"}, [2, 20]),  # in part
        ({"asset": ", normal: [{start: 2026-01-01T00:00Z, end: 2026-01-01T12:00Z}]"}, [2]),
        ({"asset": ", normal: [{start: 2026-01-01T00:00Z, end: 2026-01-01T01:00Z}]"}, []),
    ],
)
def test_labelled_faults_in_normal_time_are_left_out(tmp_path, settings, hours):
    (tmp_path / "faults.csv").write_text(
        "asset,start,end\np-1,2026-01-01T02:00Z,2026-01-01T03:00Z\np-1,2026-01-01T20:00Z,2026-01-01T21:00Z\n"
        "p-1,2026-01-05T02:00Z,2026-01-05T03:00Z\np-2,2026-01-01T02:00Z,2026-01-01T03:00Z\n"
    )
    plant = site(tmp_path, **settings)
    fleet = plant.fleet("pump")
    found = list(labelled_faults(faults_of(plant, fleet), fleet, SUMMARIES))
    assert found == [Stretch("p-1", DAY + hour * HOUR, DAY + (hour + 1) * HOUR) for hour in hours]


def test_a_labels_file_that_cannot_be_read_is_an_error(tmp_path):
    plant = site(tmp_path)
    with pytest.raises(EugenieError, match=r"cannot read labels .*faults\.csv"):
        faults_of(plant, plant.fleet("pump"))
