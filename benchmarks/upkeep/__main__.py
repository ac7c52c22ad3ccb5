"""The CPU time of commands on a history of many small files, and on a site of many assets, process included.

5,000 hourly exports of one asset are imported, imported again (nothing is new, then one), merged by `history compact`,
and assessed; then a site of 10,000 assets is assessed, whose readings come from one export. Each figure is the least
user and system time of some processes: disturbances make it longer, never shorter.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.common import child_process, report
from eugenie_cli.console import Console

SENSORS = ("flow", "pressure", "speed", "temperature")
ROWS = 60
"""Of an hourly export: one a minute."""
READINGS = 25
"""Of each sensor of the many assets."""

SITE = """\
site: {name}
workspace: work
timezone: UTC
sources:
  - {{name: exports, type: csv, path: "exports/*.csv", readings: {readings}}}
classes:
  pump: {{sensors: [{sensors}], step: 1m, max_gap: 5m}}
assets:
{assets}
"""
WIDE = "{shape: wide, asset: {const: pump-0}, ts: {path: Timestamp}}"
LONG = "{tag: {path: Tag}, ts: {path: Timestamp}, value: {path: Value}}"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="benchmarks.upkeep", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--files", type=int, default=5_000)
    parser.add_argument("--assets", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3, help="processes per figure")
    options = parser.parse_args()
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="eugenie-bench-") as name, report.failures_in_words(Console()):
        hourly, many = Path(name) / "hourly", Path(name) / "many"
        write_hourly(hourly, options.files)
        figures["first_import_cpu_s"] = cpu_of(hourly, "import")
        figures["import_again_cpu_s"] = least(options.runs, hourly, "import")
        write_hour(hourly, options.files)
        figures["import_one_more_cpu_s"] = cpu_of(hourly, "import")
        figures["quality_of_files_cpu_s"] = least(options.runs, hourly, "history", "quality")
        figures["compact_cpu_s"] = cpu_of(hourly, "history", "compact")
        figures["quality_after_compact_cpu_s"] = least(options.runs, hourly, "history", "quality")
        write_many(many, options.assets)
        cpu_of(many, "import")
        figures["check_of_assets_cpu_s"] = least(options.runs, many, "config", "check")
        figures["quality_of_assets_cpu_s"] = least(options.runs, many, "history", "quality")
    report.finish("upkeep", figures)


def least(runs: int, folder: Path, *command: str) -> float:
    """The least CPU seconds of several processes."""
    return min(cpu_of(folder, *command) for _ in range(runs))


def cpu_of(folder: Path, *command: str) -> float:
    """User and system seconds of `eugenie COMMAND` for the site in a folder."""
    eugenie = Path(sys.executable).with_name("eugenie")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    shown = f"eugenie {' '.join(command)}"
    child_process.run(shown, [eugenie, *command, "--site", folder / "site.yaml"], stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{shown}: {seconds:.2f} s", file=sys.stderr)
    return seconds


def write_hourly(folder: Path, files: int) -> None:
    """A wide export per hour, of one asset."""
    write_site(folder, "hourly", WIDE, ["  pump-0: {class: pump}"])
    for hour in range(files):
        write_hour(folder, hour)


def write_hour(folder: Path, hour: int) -> None:
    """The export of one hour."""
    start = np.datetime64("2026-01-01T00:00:00") + np.timedelta64(hour, "h")
    stamps = (start + np.arange(ROWS) * np.timedelta64(1, "m")).astype(str)
    values = np.random.default_rng(hour).normal(20, 1, (ROWS, len(SENSORS))).round(3).astype(str)
    rows = [",".join(row) for row in np.column_stack([stamps, values]).tolist()]
    write_csv(folder / "exports" / f"{hour:06}.csv", ["Timestamp," + ",".join(SENSORS), *rows])


def write_many(folder: Path, assets: int) -> None:
    """One long export of many assets, each of which has tags."""
    tags = [[f"A{number}.{sensor}" for sensor in SENSORS] for number in range(assets)]
    of_asset = [", ".join(f"{sensor}: {tag}" for sensor, tag in zip(SENSORS, own, strict=True)) for own in tags]
    lines = [f"  pump-{number}: {{class: pump, tags: {{{own}}}}}" for number, own in enumerate(of_asset)]
    write_site(folder, "many", LONG, lines)
    stamps = (np.datetime64("2026-01-01T00:00:00") + np.arange(READINGS) * np.timedelta64(1, "m")).astype(str)
    values = np.random.default_rng(0).normal(20, 1, (READINGS, assets * len(SENSORS))).round(3).astype(str)
    names = [tag for own in tags for tag in own]
    rows = (
        f"{tag},{stamp},{value}"
        for stamp, row in zip(stamps.tolist(), values.tolist(), strict=True)
        for tag, value in zip(names, row, strict=True)
    )
    write_csv(folder / "exports" / "all.csv", ["Tag,Timestamp,Value", *rows])


def write_site(folder: Path, name: str, readings: str, assets: list[str]) -> None:
    (folder / "exports").mkdir(parents=True)
    sensors = ", ".join(f"{{name: {sensor}}}" for sensor in SENSORS)
    text = SITE.format(name=name, readings=readings, sensors=sensors, assets="\n".join(assets))
    (folder / "site.yaml").write_text(text, encoding="utf-8")


def write_csv(file: Path, lines: list[str]) -> None:
    file.write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
