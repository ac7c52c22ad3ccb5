"""Compares recent rows with those that the champion learnt, by sensor and asset, on the champion's own scale."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from eugenie_cli.detection import network
from eugenie_cli.detection.arrays import Bools, Floats
from eugenie_cli.detection.detector import TrainedDetector
from eugenie_cli.detection.metrics.drift import Drift, drift
from eugenie_cli.errors import EugenieError
from eugenie_cli.history.grid import Grid, load_grid
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.site.field_types import parse_instant, to_ms
from eugenie_cli.training import run_record
from eugenie_cli.training.datasets import normal_rows
from eugenie_cli.training.open_class import OpenClass
from eugenie_cli.training.registered_version import CHAMPION

_MOST_NAMED = 5


@dataclass(frozen=True)
class SensorDrift:
    """A sensor of an asset. Shares are of existing rows; `beyond_clip` counts values that the network sees clipped."""

    asset: str
    sensor: str
    drift: Drift
    missing_learnt: float
    missing: float
    beyond_clip: float

    def to_json(self) -> dict[str, Any]:
        """Flat, like the table."""
        return {"asset": self.asset, "sensor": self.sensor, **asdict(self.drift), "missing_learnt": self.missing_learnt,
                "missing": self.missing, "beyond_clip": self.beyond_clip}  # fmt: skip


@dataclass(frozen=True)
class ClassDrift:
    """A class and its champion. `notes`: sentences on what moved and what could not be compared."""

    class_name: str
    version: int
    sensors: tuple[SensorDrift, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "class": self.class_name,
            "version": self.version,
            "sensors": [sensor.to_json() for sensor in self.sensors],
            "notes": list(self.notes),
        }


def drift_of(
    opened: OpenClass, start_ms: int | None = None, end_ms: int | None = None, progress: Progress = SILENT
) -> ClassDrift:
    """Compare the rows that the champion was trained and calibrated on with those of start_ms <= edge < end_ms.

    By default, all rows after its training data are compared. Raises EugenieError if the class has no champion or its
    run cannot be read.
    """
    class_name, fleet, registry = opened.name, opened.fleet, opened.registry
    champion = registry.resolve(class_name, CHAMPION)
    detector = registry.load(champion)
    if detector.sensors != fleet.equipment.sensor_names:
        raise EugenieError(
            f"{class_name} version {champion.version} does not have the sensors of the site file",
            f"train it again: `eugenie train --class {class_name}`",
        )
    periods = run_record.of_run(registry.client, champion.run_id).periods
    sensors, notes = list[SensorDrift](), list[str]()
    with progress.task(f"compare {class_name}", total=len(detector.assets), unit="assets") as advance:
        for asset in fleet.assets:
            grid, normal = partial(load_grid, fleet, opened.history, asset, gap_rows=0), partial(normal_rows, fleet)
            result = _compare(grid, normal, detector, asset, _span(periods.get(asset, {})), (start_ms, end_ms))
            if isinstance(result, str):
                notes.append(result)
            else:
                sensors += result
            advance(1)
    return ClassDrift(class_name, champion.version, tuple(sensors), (*_sentences(sensors), *notes))


def _span(parts: Any) -> tuple[int, int] | None:
    """First and last instant over all parts of an asset's training data."""
    instants = [to_ms(parse_instant(instant)) for span in parts.values() for instant in span]
    return (min(instants), max(instants)) if instants else None


def _compare(
    grid: Callable[[int, int | None], Grid], normal_rows_of: Callable[[Grid], Bools], detector: TrainedDetector,
    asset: str, span: tuple[int, int] | None, recent: tuple[int | None, int | None],
) -> str | list[SensorDrift]:  # fmt: skip
    """`grid` loads the asset's rows between two instants. Returns a sentence if there is nothing to compare."""
    if asset not in detector.assets:
        return f"{asset}: the champion does not know it."
    if span is None:
        return f"{asset}: the run does not record its training rows."
    learnt = grid(span[0], span[1] + 1)
    normal = learnt.rows[normal_rows_of(learnt)]
    if np.isnan(normal).all():
        return f"{asset}: its training rows are no longer in the history."
    start_ms = recent[0] if recent[0] is not None else span[1] + 1
    now = grid(start_ms, recent[1])
    if np.isnan(now.rows).all():
        return f"{asset}: no row to compare: its training data end at {np.datetime64(span[1], 'ms')}Z."
    return list(_sensors(detector, asset, normal, now))


def _sensors(detector: TrainedDetector, asset: str, learnt: Floats, now: Grid) -> Iterator[SensorDrift]:
    index = detector.assets.index(asset)
    before, after = (
        (rows[~np.isnan(rows).all(axis=1)] - detector.mean[index]) / detector.deviation[index]
        for rows in (learnt, now.rows)
    )
    for column, sensor in enumerate(detector.sensors):
        values = [rows[:, column][np.isfinite(rows[:, column])] for rows in (before, after)]
        yield SensorDrift(
            asset,
            sensor,
            drift(*values),
            float(np.isnan(before[:, column]).mean()),
            float(np.isnan(after[:, column]).mean()),
            float((np.abs(values[1]) >= network.CLIP).mean()) if len(values[1]) else 0.0,
        )


def _sentences(sensors: Sequence[SensorDrift]) -> Iterator[str]:
    for judged, start in (("moved", "Moved"), ("somewhat", "Shifted somewhat")):
        shifted = sorted(
            (sensor for sensor in sensors if sensor.drift.judged == judged),
            key=lambda sensor: -(sensor.drift.psi or 0),
        )
        if shifted:
            more = f" and {len(shifted) - _MOST_NAMED} more" if len(shifted) > _MOST_NAMED else ""
            named = ", ".join(f"{sensor.sensor} of {sensor.asset}" for sensor in shifted[:_MOST_NAMED])
            yield f"{start}: {named}{more}."
    unsure = sum(sensor.drift.judged == "cannot be told" for sensor in sensors)
    if unsure:
        yield f"{unsure} of {len(sensors)} sensors have too few independent rows to tell."
    if sensors and not unsure and all(sensor.drift.judged == "no" for sensor in sensors):
        yield "No sensor moved."
