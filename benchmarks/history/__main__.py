"""History compared with pandas: read, check, sort and store exports, then read them again as rows on the grid.

Two exports of the same readings, as historians write them: long, with one reading and its quality per line, and wide,
with one file per asset and one column per sensor. pandas does what a notebook script would: it trusts the file, sorts,
drops duplicates, writes Parquet, and resamples. Turns alternate; each has its own folder. Times are CPU time.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.common import report
from eugenie_cli.history.grid import load_grid
from eugenie_cli.history.site_history import open_history
from eugenie_cli.site.load import load_site
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.importing import import_sources

START_MS, STEP_MS, MAX_GAP_MS = 1_767_225_600_000, 1000, 5000
GOOD = 192
"""OPC's quality code of a good reading."""

SITE = """\
site: bench
workspace: {workspace}
sources:
  - name: long
    type: csv
    path: {exports}/long.csv
    readings:
      asset: {{path: Asset}}
      sensor: {{path: Sensor}}
      ts: {{path: Timestamp}}
      value: {{path: Value}}
      quality: {{path: Quality, scheme: opcda}}
  - name: wide
    type: csv
    path: {exports}/wide/*.csv
    readings: {{shape: wide, asset: {{file: "{{stem}}"}}, ts: {{path: Timestamp}}}}
classes:
  pump: {{sensors: [{sensors}], step: 1s, max_gap: 5s}}
assets: {{{assets}}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="benchmarks.history", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--assets", type=int, default=4)
    parser.add_argument("--sensors", type=int, default=8)
    parser.add_argument("--rows", type=int, default=40_000, help="rows per asset, a second apart")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="eugenie-bench-") as folder:
        exports = Path(folder) / "exports"
        assets = [f"pump-{number}" for number in range(1, options.assets + 1)]
        sensors = [f"sensor_{number}" for number in range(1, options.sensors + 1)]
        write(exports, assets, sensors, options.rows)
        figures: dict[str, Any] = {"readings": options.assets * options.sensors * options.rows}
        for shape in ("long", "wide"):
            figures |= measured(Path(folder), exports, shape, assets, sensors, options)
    report.finish("history", figures)


def write(exports: Path, assets: list[str], sensors: list[str], rows: int) -> None:
    """Write the exports: instants jitter by a fifth of a second, values have four decimals."""
    (exports / "wide").mkdir(parents=True)
    chance = np.random.default_rng(0)
    long = []
    for asset in assets:
        ts = START_MS + STEP_MS * np.arange(rows) + chance.integers(0, 200, rows)
        stamp = pd.to_datetime(ts, unit="ms", utc=True).strftime("%Y-%m-%dT%H:%M:%S.%f").str[:-3] + "Z"
        table = pd.DataFrame(chance.normal(20, 1, (rows, len(sensors))).round(4), columns=sensors)
        table.insert(0, "Timestamp", stamp)
        table.to_csv(exports / "wide" / f"{asset}.csv", index=False)
        melted = table.melt("Timestamp", var_name="Sensor", value_name="Value").assign(Asset=asset, Quality=GOOD)
        long.append(melted)
    pd.concat(long).sort_values("Timestamp", kind="stable").to_csv(exports / "long.csv", index=False)


def measured(
    folder: Path, exports: Path, shape: str, assets: list[str], sensors: list[str], options: argparse.Namespace
) -> dict[str, Any]:
    """Figures from the median CPU seconds in which eugenie and pandas store the export and make rows of it."""
    taken: dict[str, list[float]] = {"import": [], "plain_import": [], "grid": [], "plain_grid": []}

    def timed(name: str, work: Callable[[], int]) -> int:
        began = time.process_time()
        count = work()
        taken[name].append(time.process_time() - began)
        return count

    for turn in range(options.turns):
        site = site_of(folder, exports, f"work-{shape}-{turn}", assets, sensors)
        kept = folder / f"pandas-{shape}-{turn}"
        kept.mkdir()
        ours = timed("import", lambda site=site: import_sources(site, [shape])[0].readings)
        plain = timed("plain_import", lambda kept=kept: keep_plainly(exports, shape, kept))
        assert ours == plain, f"eugenie stored {ours} readings, pandas {plain}"
        ours = timed(
            "grid",
            lambda site=site: sum(known(load_grid(site.fleet("pump"), open_history(site), a).rows) for a in assets),
        )
        plain = timed("plain_grid", lambda kept=kept: sum(known(grid_plainly(kept / f"{a}.parquet")) for a in assets))
        assert abs(ours - plain) <= len(assets) * len(sensors) * MAX_GAP_MS // STEP_MS, (ours, plain)
        print(f"{shape}: " + ", ".join(f"{name} {times[-1]:.2f} s" for name, times in taken.items()), file=sys.stderr)
        shutil.rmtree(kept)
    seconds = {name: statistics.median(times) for name, times in taken.items()}
    return {
        f"{shape}_readings_per_cpu_s": len(assets) * len(sensors) * options.rows / seconds["import"],
        f"{shape}_import_ratio_to_pandas": seconds["plain_import"] / seconds["import"],
        f"{shape}_grid_ratio_to_pandas": seconds["plain_grid"] / seconds["grid"],
    }


def site_of(folder: Path, exports: Path, workspace: str, assets: list[str], sensors: list[str]) -> Site:
    file = folder / f"{workspace}.yaml"
    file.write_text(
        SITE.format(
            workspace=workspace,
            exports=exports,
            sensors=", ".join(f"{{name: {name}}}" for name in sensors),
            assets=", ".join(f"{name}: {{class: pump}}" for name in assets),
        ),
        encoding="utf-8",
    )
    return load_site(file)


def keep_plainly(exports: Path, shape: str, kept: Path) -> int:
    """Each asset's readings as a Parquet file: asset, sensor, instant, value."""
    if shape == "long":
        table = pd.read_csv(exports / "long.csv", parse_dates=["Timestamp"])
        table = table[table["Quality"] == GOOD]
    else:
        files = sorted((exports / "wide").glob("*.csv"))
        table = pd.concat(
            pd.read_csv(file, parse_dates=["Timestamp"])
            .melt("Timestamp", var_name="Sensor", value_name="Value")
            .assign(Asset=file.stem)
            for file in files
        )
    table = table.dropna(subset="Value").drop_duplicates(["Asset", "Sensor", "Timestamp"], keep="last")
    for asset, own in table.sort_values(["Asset", "Sensor", "Timestamp"]).groupby("Asset"):
        own[["Sensor", "Timestamp", "Value"]].to_parquet(kept / f"{asset}.parquet", index=False)
    return len(table)


def grid_plainly(file: Path) -> np.ndarray:
    """One row per second, with each sensor's last value, at most five seconds old."""
    table = pd.read_parquet(file).pivot(index="Timestamp", columns="Sensor", values="Value")
    rows = table.resample("1s", closed="right", label="right").last()
    return rows.ffill(limit=MAX_GAP_MS // STEP_MS - 1).to_numpy(np.float32)


def known(rows: np.ndarray) -> int:
    """Number of values that are not missing."""
    return int(np.isfinite(rows).sum())


if __name__ == "__main__":
    main()
