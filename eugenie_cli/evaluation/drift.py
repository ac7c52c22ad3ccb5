"""Are recent rows still those that the champion learnt? By sensor and asset, on the champion's own scale."""

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
from eugenie_cli.history.site_history import open_history
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.site.field_types import parse_instant, to_ms
from eugenie_cli.site.schema import Site
from eugenie_cli.training import run_record
from eugenie_cli.training.datasets import normal_rows
from eugenie_cli.training.registry import CHAMPION, Registry

_MOST_NAMED = 5


@dataclass(frozen=True)
class SensorDrift:
    """A sensor of an asset. Shares are of rows that exist; beyond the clip: values that the network sees cut off."""

    asset: str
    sensor: str
    drift: Drift
    missing_learnt: float
    missing: float
    beyond_clip: float

    def to_json(self) -> dict[str, Any]:
        """Flat, as in the table."""
        return {"asset": self.asset, "sensor": self.sensor, **asdict(self.drift), "missing_learnt": self.missing_learnt,
                "missing": self.missing, "beyond_clip": self.beyond_clip}  # fmt: skip


@dataclass(frozen=True)
class ClassDrift:
    """A champion's class. `notes`: what moved, and what could not be compared, in words."""

    class_name: str
    version: int
    sensors: tuple[SensorDrift, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "class": self.class_name,
            "version": self.version,
            "sensors": [one.to_json() for one in self.sensors],
            "notes": list(self.notes),
        }


def drift_of(
    site: Site, class_name: str, start_ms: int | None = None, end_ms: int | None = None, progress: Progress = SILENT
) -> ClassDrift:
    """Compare what the champion was trained and calibrated on with the rows of start_ms <= edge < end_ms.

    By default the rows since its data ended. Raises EugenieError without a champion, or when its run cannot be read.
    """
    registry = Registry(site)
    champion = registry.resolve(class_name, CHAMPION)
    detector = registry.load(champion)
    if detector.sensors != site.classes[class_name].sensor_names:
        raise EugenieError(
            f"{class_name} version {champion.version} has other sensors than the site file",
            f"train it again: `eugenie train --class {class_name}`",
        )
    periods = run_record.of_run(registry.client, champion.run_id).periods
    history, found, notes = open_history(site), list[SensorDrift](), list[str]()
    with progress.task(f"compare {class_name}", total=len(detector.assets), unit="assets") as advance:
        for asset in site.assets_of(class_name):
            grid, normal = partial(load_grid, site, history, asset), partial(normal_rows, site)
            told = _compare(grid, normal, detector, asset, _span(periods.get(asset, {})), (start_ms, end_ms))
            if isinstance(told, str):
                notes.append(told)
            else:
                found += told
            advance(1)
    return ClassDrift(class_name, champion.version, tuple(found), (*_words(found), *notes))


def _span(parts: Any) -> tuple[int, int] | None:
    """First and last instant of all parts of an asset's training data."""
    instants = [to_ms(parse_instant(one)) for span in parts.values() for one in span]
    return (min(instants), max(instants)) if instants else None


def _compare(
    grid: Callable[[int, int | None], Grid], normal_rows_of: Callable[[Grid], Bools], detector: TrainedDetector,
    asset: str, span: tuple[int, int] | None, recent: tuple[int | None, int | None],
) -> str | list[SensorDrift]:  # fmt: skip
    """`grid`: the asset's rows from one instant to another. A sentence where there is nothing to compare."""
    if asset not in detector.assets:
        return f"{asset}: the champion does not know it."
    if span is None:
        return f"{asset}: its run does not say what it was trained on."
    learnt = grid(span[0], span[1] + 1)
    normal = learnt.rows[normal_rows_of(learnt)]
    if np.isnan(normal).all():
        return f"{asset}: the rows that it was trained on are no longer in the history."
    start_ms = recent[0] if recent[0] is not None else span[1] + 1
    now = grid(start_ms, recent[1])
    if np.isnan(now.rows).all():
        return f"{asset}: there is no row to compare; its training data end {np.datetime64(span[1], 'ms')}Z."
    return list(_sensors(detector, asset, normal, now))


def _sensors(detector: TrainedDetector, asset: str, learnt: Floats, now: Grid) -> Iterator[SensorDrift]:
    index = detector.assets.index(asset)
    before, after = (
        (rows[~np.isnan(rows).all(axis=1)] - detector.mean[index]) / detector.deviation[index]
        for rows in (learnt, now.rows)
    )
    for place, sensor in enumerate(detector.sensors):
        values = [rows[:, place][np.isfinite(rows[:, place])] for rows in (before, after)]
        yield SensorDrift(
            asset,
            sensor,
            drift(*values),
            float(np.isnan(before[:, place]).mean()),
            float(np.isnan(after[:, place]).mean()),
            float((np.abs(values[1]) >= network.CLIP).mean()) if len(values[1]) else 0.0,
        )


def _words(found: Sequence[SensorDrift]) -> Iterator[str]:
    for judged, words in (("moved", "moved"), ("somewhat", "shifted somewhat")):
        own = sorted((one for one in found if one.drift.judged == judged), key=lambda one: -(one.drift.psi or 0))
        if own:
            more = f" and {len(own) - _MOST_NAMED} more" if len(own) > _MOST_NAMED else ""
            named = ", ".join(f"{one.sensor} of {one.asset}" for one in own[:_MOST_NAMED])
            yield f"{words[0].upper()}{words[1:]}: {named}{more}."
    unsure = sum(one.drift.judged == "cannot be told" for one in found)
    if unsure:
        yield f"Of {unsure} of {len(found)} sensors too few independent rows are there to tell."
    if found and not unsure and all(one.drift.judged == "no" for one in found):
        yield "No sensor moved."
