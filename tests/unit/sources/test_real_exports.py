"""Real exports: a testbed with semicolons, and a process historian with status texts in its numbers.

The data are not part of the project: `EUGENIE_DATA` names their folder.
"""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path

import numpy as np
import pytest

from eugenie_cli.history.grid import load_grid
from eugenie_cli.history.quality import assess
from eugenie_cli.history.site_history import open_history
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.importing import import_sources

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("EUGENIE_DATA", ROOT / ".." / "shared" / "data")).resolve()


def needs(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is missing: set EUGENIE_DATA")
    return path


def site_of(root: Path, source: dict, sensors: list[str], assets: list[str], step: str) -> Site:
    return Site.model_validate(
        {
            "site": "real",
            "workspace": str(root),
            "sources": [{"name": "s", "type": "csv", **source}],
            "classes": {"c": {"sensors": [{"name": name} for name in sensors], "step": step, "max_gap": step}},
            "assets": {asset: {"class": "c"} for asset in assets},
        }
    )


@pytest.mark.slow
def test_testbed_runs(tmp_path):
    folder = needs("skab/valve1")
    with (folder / "0.csv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    sensors = [name for name in rows[0] if name not in ("datetime", "anomaly", "changepoint")]
    readings = {
        "shape": "wide",
        "ts": {"path": "datetime"},
        "asset": {"file": "valve1-{stem}"},
        "ignore": ["anomaly", "changepoint"],
    }
    source = {"path": f"{folder}/*.csv", "delimiter": ";", "readings": readings}
    site = site_of(tmp_path, source, sensors, [f"valve1-{run}" for run in range(16)], "1s")
    (report,) = import_sources(site)
    assert (report.new, report.failed, report.bad_quality) == (16, [], 0)
    assert (report.rejected, report.unknown_columns) == ({}, {})
    assert report.readings == 8 * sum(len(path.read_text().splitlines()) - 1 for path in folder.glob("*.csv"))

    grid = load_grid(site.fleet("c"), open_history(site), "valve1-0")
    for row in (rows[0], rows[500], rows[-1]):
        edge = int(np.datetime64(row["datetime"]).astype("M8[ms]").astype(np.int64))
        (grid_row,) = grid.rows[grid.edges == edge]
        np.testing.assert_array_equal(grid_row, np.array([float(row[name]) for name in sensors], np.float32))


@pytest.mark.slow
def test_historian_export_with_status_texts(tmp_path):
    path = needs("bibmon/real_process_data.csv")
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    sensors = [f"tag{number}" for number in range(107)]
    columns = {name: [row[rows[0].index(name)] for row in rows[1:]] for name in sensors if name in rows[0]}
    statuses = {text for texts in columns.values() for text in texts if text.strip("-0123456789.eE+")}
    assert "Inp OutRange" in statuses
    source = {
        "path": str(path),
        "readings": {
            "shape": "wide",
            "ts": {"path": "column 1"},
            "asset": {"const": "unit"},
            "ignore": ["tag107"],
        },
    }
    site = site_of(tmp_path, source, sensors, ["unit"], "5m")
    (report,) = import_sources(site)
    assert (report.failed, dict(report.rejected)) == ([], {})
    assert report.readings == len(columns) * (len(rows) - 1)
    bad = sum(text in statuses or text == "" for texts in columns.values() for text in texts)
    assert report.bad_quality == bad > 0

    quality = {sensor.sensor: sensor for sensor in assess(site, open_history(site)).sensors}
    assert quality["tag2"].bad == pytest.approx(columns["tag2"].count("Inp OutRange") / len(columns["tag2"]))
    assert math.isnan(load_grid(site.fleet("c"), open_history(site), "unit").rows[0, 2])
