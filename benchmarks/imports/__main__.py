"""The CPU time of importing CSV files, compared with pandas, with pyarrow's parser alone, and between formats.

A long export has one reading and its quality per line, of a few tags; a wide one a column per sensor. pandas does the
least that gives a file to work with: it trusts the export, drops nothing, and leaves instants in UTC. Each work is done
several times in this process, in turn, and its least CPU time counts: disturbances make it longer, never shorter.

pyarrow's parser alone, which neither checks nor writes anything, shows what there is left to gain: an import takes
about one and a half times as long.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.csv as pa_csv

from benchmarks.common import report
from eugenie_cli.site.load import load_site
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.importing import import_sources

START_MS, STEP_MS = 1_767_225_600_000, 60_000
"""A minute between readings, so that the export covers many dates."""
TAGS = 32
FORMATS = {
    "iso": ("", "%Y-%m-%dT%H:%M:%S"),
    "numbers": ("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S"),
    "month_names": ("%d-%b-%Y %H:%M:%S", "%d-%b-%Y %H:%M:%S"),
    "twelve_hours": ("%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M:%S %p"),
    "short_years": ("%d/%m/%y %H:%M:%S", "%d/%m/%y %H:%M:%S"),
    "unpadded": ("%m/%d/%Y %I:%M:%S %p", "%-m/%-d/%Y %-I:%M:%S %p"),
    "all_of_them": ("%d-%b-%y %I:%M:%S %p", "%d-%b-%y %I:%M:%S %p"),
}
"""Kind of timestamp -> its format in the site file, and as the export is written."""

SITE = """\
site: bench
workspace: {folder}/work-{name}
timezone: UTC
sources:
  - {{name: {name}, type: csv, path: "{folder}/{name}.csv", readings: {readings}}}
classes:
  plant: {{sensors: [{sensors}], step: 1m, max_gap: 5m}}
assets: {{plant-1: {{class: plant}}}}
"""
LONG = "asset: {path: Asset}, sensor: {path: Sensor}, value: {path: Value}"
WIDE = "{shape: wide, asset: {const: plant-1}, ts: {path: Timestamp}}"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="benchmarks.imports", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--readings", type=int, default=10_000_000, help="of the long and of the wide export")
    parser.add_argument("--columns", type=int, default=200, help="of the wide export")
    parser.add_argument("--formats", type=int, default=1_000_000, help="readings per format of timestamps; 0: none")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="eugenie-bench-") as name:
        folder = Path(name)
        figures |= of_long(folder, options.readings, options.turns)
        figures |= of_wide(folder, options.readings, options.columns, options.turns)
        if options.formats:
            figures |= of_formats(folder, options.formats, options.turns)
    figures["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report.finish("imports", figures)


def of_long(folder: Path, readings: int, turns: int) -> dict[str, float]:
    """CPU seconds of importing a long export, and how many times as many others take."""
    file = folder / "long.csv"
    write_long(file, readings, FORMATS["iso"][1])
    importing = Importing(
        folder, "long", f"{{{LONG}, ts: {{path: Timestamp}}, quality: {{path: Quality, scheme: opcda}}}}"
    )
    kept = folder / "long.parquet"

    def plain(*, ordered: bool) -> None:
        table = pd.read_csv(file, parse_dates=["Timestamp"])
        (table.sort_values(["Asset", "Sensor", "Timestamp"]) if ordered else table).to_parquet(kept)

    works = {
        "import": lambda: importing.run(readings),
        "pandas": lambda: plain(ordered=False),
        "pandas_sorted": lambda: plain(ordered=True),
        "parse": lambda: pa_csv.read_csv(file),
    }
    return ratios("long", readings, best(works, turns))


def of_wide(folder: Path, readings: int, columns: int, turns: int) -> dict[str, float]:
    """The same of a wide export; pandas melts and sorts it before writing, as the history is sorted."""
    file, rows = folder / "wide.csv", readings // columns
    names = sensors(columns)
    values = np.random.default_rng(0).normal(20, 1, (rows, columns)).round(4)
    table = pd.DataFrame(values, columns=names)
    table.insert(0, "Timestamp", stamps(rows, FORMATS["iso"][1]))
    table.to_csv(file, index=False)
    importing, kept = Importing(folder, "wide", WIDE, columns), folder / "wide.parquet"

    def plain() -> None:
        wide = pd.read_csv(file, parse_dates=["Timestamp"])
        melted = wide.melt("Timestamp", var_name="Sensor", value_name="Value").assign(Asset="plant-1")
        melted.sort_values(["Asset", "Sensor", "Timestamp"]).to_parquet(kept)

    works = {"import": lambda: importing.run(rows * columns), "pandas": plain, "parse": lambda: pa_csv.read_csv(file)}
    return ratios("wide", rows * columns, best(works, turns))


def of_formats(folder: Path, readings: int, turns: int) -> dict[str, float]:
    """CPU time of importing an export with each format of timestamps, as a multiple of the time with ISO 8601."""
    works: dict[str, Callable[[], None]] = {}
    for name, (format, written) in FORMATS.items():
        write_long(folder / f"{name}.csv", readings, written)
        part = f', format: "{format}"' if format else ""
        importing = Importing(folder, name, f"{{{LONG}, ts: {{path: Timestamp{part}}}}}")
        works[name] = lambda importing=importing: importing.run(readings)
    seconds = best(works, turns)
    return {f"{name}_to_iso": seconds[name] / seconds["iso"] for name in FORMATS if name != "iso"}


class Importing:
    """Imports of one export, each into a new history."""

    def __init__(self, folder: Path, name: str, readings: str, columns: int = TAGS) -> None:
        names = ", ".join(f"{{name: {sensor}}}" for sensor in sensors(columns))
        file = folder / f"{name}.yaml"
        file.write_text(SITE.format(folder=folder, name=name, readings=readings, sensors=names), encoding="utf-8")
        self._work, self._site = folder / f"work-{name}", load_site(file)

    def run(self, readings: int) -> None:
        """Import it. Raises AssertionError if a reading is missing."""
        shutil.rmtree(self._work, ignore_errors=True)
        found = imported(self._site)
        assert found == readings, f"imported {found} of {readings} readings"


def imported(site: Site) -> int:
    """The number of readings imported."""
    return import_sources(site)[0].readings


def write_long(file: Path, readings: int, format: str) -> None:
    """Write an export of `TAGS` tags: a line per reading, with its quality, in the order of time."""
    rows = -(-readings // TAGS)
    table = pd.DataFrame(
        {
            "Timestamp": np.repeat(stamps(rows, format), TAGS)[:readings],
            "Asset": "plant-1",
            "Sensor": np.tile(sensors(TAGS), rows)[:readings],
            "Value": np.random.default_rng(0).normal(20, 1, readings).round(4),
            "Quality": 192,
        }
    )
    table.to_csv(file, index=False)


def stamps(rows: int, format: str) -> np.ndarray:
    return np.array(pd.to_datetime(START_MS + STEP_MS * np.arange(rows), unit="ms").strftime(format), object)


def sensors(count: int) -> list[str]:
    return [f"sensor_{number}" for number in range(count)]


def best(works: dict[str, Callable[[], object]], turns: int) -> dict[str, float]:
    """The least CPU seconds of each work."""
    least = dict.fromkeys(works, float("inf"))
    for _ in range(turns):
        for name, work in works.items():
            began = time.process_time()
            work()
            least[name] = min(least[name], time.process_time() - began)
        print(", ".join(f"{name} {seconds:.2f} s" for name, seconds in least.items()), file=sys.stderr)
    return least


def ratios(shape: str, readings: int, seconds: dict[str, float]) -> dict[str, float]:
    own = seconds.pop("import")
    multiples = {f"{shape}_cpu_ratio_to_{name}": other / own for name, other in seconds.items() if name != "parse"}
    return {
        f"{shape}_readings_per_cpu_s": readings / own,
        **multiples,
        f"{shape}_cpu_multiple_of_parse": own / seconds["parse"],
    }


if __name__ == "__main__":
    main()
