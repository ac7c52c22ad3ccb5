"""Labelled events from a CSV file `asset,start,end,sensors`, used only to judge, never to train."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from eugenie_cli.errors import EugenieError
from eugenie_cli.site.diagnostics import did_you_mean
from eugenie_cli.site.field_types import localize, parse_instant, to_ms
from eugenie_cli.site.schema import Asset, EquipmentClass

COLUMNS = ("asset", "start", "end")
"""Required columns; `sensors` is optional."""
SENSOR_SEPARATOR = ";"
MOST_PROBLEMS = 20
"""Problems listed in one error: enough to show a pattern."""


@dataclass(frozen=True)
class Label:
    """A fault of an asset in [start, end), ms since 1970 UTC, and the sensors known to carry it."""

    asset: str
    start: int
    end: int
    sensors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Labels:
    """The labels of a site's assets."""

    labels: tuple[Label, ...]
    foreign: tuple[str, ...] = ()
    """Assets in the file that are not in the site; their labels are ignored."""

    def of(self, assets: Iterable[str]) -> tuple[Label, ...]:
        """The labels of these assets, in the file's order."""
        names = set(assets)
        return tuple(label for label in self.labels if label.asset in names)


@dataclass(frozen=True)
class Labelled:
    """What labels may name, and how their instants are read."""

    timezone: str
    """Zone of instants without an offset."""
    assets: Mapping[str, Asset]
    classes: Mapping[str, EquipmentClass]


def read_labels(path: Path, labelled: Labelled) -> Labels:
    """Read labels from a CSV file. Instants are ISO 8601.

    Raises:
        EugenieError: the file cannot be read, or has invalid lines; each problem is given as `file:line: problem`.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise EugenieError(
                    f"{path}:1: no column {', '.join(missing)}", "the columns are asset,start,end,sensors"
                )
            problems: list[str] = []
            labels = list(_labels(reader, path, labelled, problems))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EugenieError(f"cannot read labels {path}: {error}", "give a CSV file: asset,start,end,sensors") from error
    if problems:
        more = [f"and {len(problems) - MOST_PROBLEMS} more"] if len(problems) > MOST_PROBLEMS else []
        raise EugenieError("\n".join(problems[:MOST_PROBLEMS] + more), "correct these lines of the labels file")
    foreign = sorted({label.asset for label in labels if label.asset not in labelled.assets})
    return Labels(tuple(label for label in labels if label.asset in labelled.assets), tuple(foreign))


def _labels(reader: csv.DictReader[str], path: Path, labelled: Labelled, problems: list[str]) -> Iterator[Label]:
    zone = ZoneInfo(labelled.timezone)
    for row in reader:
        where = f"{path}:{reader.line_num}"
        try:
            asset = (row["asset"] or "").strip()
            if not asset:
                raise ValueError("no asset")
            start, end = (to_ms(localize(parse_instant(row[name] or ""), zone)) for name in ("start", "end"))
            if end <= start:
                raise ValueError(f"end {row['end']} is not after start {row['start']}")
            listed = (row.get("sensors") or "").split(SENSOR_SEPARATOR)
            sensors = tuple(name.strip() for name in listed if name.strip())
            _check_sensors(labelled, asset, sensors)
        except ValueError as error:
            problems.append(f"{where}: {error}")
        else:
            yield Label(asset, start, end, sensors)


def _check_sensors(labelled: Labelled, asset: str, sensors: tuple[str, ...]) -> None:
    if asset not in labelled.assets:
        return
    class_name = labelled.assets[asset].class_name
    known = labelled.classes[class_name].sensor_names
    for sensor in sensors:
        if sensor not in known:
            raise ValueError(f"class {class_name} has no sensor {sensor!r}{did_you_mean(sensor, known)}")
