"""Rows that count as normal by the site file but probably are not: labelled faults, and alarms of the champion.

A version that learnt a fault as normal is silent about it from then on. Labelled faults (`promotion: {labels}`) are
therefore left out of training. So are alarms of the champion that stand for at least `STANDING_WINDOWS` windows, in
rows that it did not learn: they are a fault or a new level of normal operation, which only a person can tell. Shorter
alarms are learnt: thresholds are set by the scores of normal rows, and would fall with every version if the highest
scores were left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from eugenie_cli.detection.arrays import Bools, Floats, Ints, runs
from eugenie_cli.detection.detector import TrainedDetector
from eugenie_cli.detection.scoring import ScoringModule
from eugenie_cli.episodes.records import iso
from eugenie_cli.errors import EugenieError
from eugenie_cli.history.grid import load_grid
from eugenie_cli.history.store import AssetSummary
from eugenie_cli.progress import Progress
from eugenie_cli.site.field_types import to_ms
from eugenie_cli.site.labels import Label
from eugenie_cli.site.schema import Exclusion, Fleet
from eugenie_cli.training import datasets, run_record
from eugenie_cli.training.mlflow_store import first_line
from eugenie_cli.training.open_class import OpenClass
from eugenie_cli.training.registry import RegisteredVersion, Registry

STANDING_WINDOWS = 2
"""A false alarm passes within about the window that the detector looks back over; one that stands for two does not."""
NAMED = 5
"""Stretches listed in a message."""

_STRETCH_ROWS = 100_000
"""Rows read at once."""
_SEGMENT_ROWS = 4_096
"""Rows scored in one call."""


class Stretch(NamedTuple):
    """Time of an asset, [start, end), ms since 1970 UTC."""

    asset: str
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.asset} {iso(self.start)} to {iso(self.end)}"


def leave_out(
    opened: OpenClass, labels: Sequence[Label], registry: Registry, progress: Progress, *, accept_alarms: bool = False
) -> Fleet:
    """The class with all doubtful rows excluded; says which they are, and how to exclude or accept them.

    `labels`: known faults. `registry`: whose champion is asked; over a connection of its own, as `train` asks the
    server again after the history is read. `accept_alarms`: standing alarms of the champion are normal operation.
    """
    fleet, summaries = opened.fleet, {stored.asset: stored for stored in opened.history.summary()}
    faults = list(labelled_faults(labels, fleet, summaries))
    if faults:
        progress.say(
            f"{fleet.name}: labelled faults are left out of training (promotion.labels): {_listed(faults)}. If one is "
            "normal operation after all, delete its line in that file"
        )
    fleet = _without(fleet, faults)
    from mlflow.exceptions import MlflowException

    try:
        alarms = list(_champions_alarms(registry, replace(opened, fleet=fleet), summaries, progress))
    except (EugenieError, MlflowException, OSError) as problem:
        progress.say(
            f"{fleet.name}: it is not examined whether the champion was in alarm in the rows to learn: "
            f"{first_line(problem)}"
        )
        return fleet
    if not alarms:
        return fleet
    listed = [alarm for alarm in alarms if fleet.assets[alarm.asset].normal]
    left_out = [alarm for alarm in alarms if alarm not in listed and not accept_alarms]
    learnt = [alarm for alarm in alarms if alarm not in left_out]
    if learnt:
        reason = "the site file lists the time as normal" if not accept_alarms else "its alarms are accepted"
        progress.say(
            f"{fleet.name}: the champion was in alarm in rows that are learnt as normal, because {reason}: "
            f"{_listed(learnt)}. If that was a fault, add it to `exclude`"
        )
    if left_out:
        first = left_out[0]
        progress.say(
            f"{fleet.name}: left out of training, because the champion was in alarm and nobody has said why: "
            f"{_listed(left_out)}. If it is a fault, say so in the site file: `exclude: [{{asset: {first.asset}, "
            f"start: {iso(first.start)}, end: {iso(first.end)}, reason: fault}}]`. If it is normal operation, such as "
            f"a new level after a repair, learn it: `eugenie train {fleet.name} --accept-alarms`"
        )
    return _without(fleet, left_out)


def labelled_faults(labels: Sequence[Label], fleet: Fleet, summaries: Mapping[str, AssetSummary]) -> Iterator[Stretch]:
    """The labelled faults of the class among the time that the site file calls normal."""
    for label in labels:
        stored, periods = summaries.get(label.asset), fleet.assets[label.asset].normal
        if stored is None or label.start > stored.end_ms or label.end <= stored.start_ms:
            continue
        is_listed = any(to_ms(period.start) < label.end and to_ms(period.end) > label.start for period in periods)
        is_excluded = any(
            period.asset in (None, label.asset)
            and to_ms(period.start) <= label.start
            and to_ms(period.end) >= label.end
            for period in fleet.exclude
        )
        if (is_listed or not periods) and not is_excluded:
            yield Stretch(label.asset, label.start, label.end)


def standing(score: Floats, window: int) -> Bools:
    """bool [T]: rows of standing alarms by score [T] (NaN: not scored), each from a window before its first such row.

    Pauses shorter than a window are part of an alarm: what returns that soon is the same trouble.
    """
    above = score > 1.0
    for first, last in runs(~above):
        if first > 0 and last < len(above) and last - first < window:
            above[first:last] = True
    inside = np.zeros(len(score), bool)
    for first, last in runs(above):
        if last - first >= STANDING_WINDOWS * window:
            inside[max(0, first - window) : last] = True
    return inside


def _champions_alarms(
    registry: Registry, opened: OpenClass, summaries: Mapping[str, AssetSummary], progress: Progress
) -> Iterator[Stretch]:
    """The champion's standing alarms in normal rows later than all that it learnt."""
    fleet = opened.fleet
    number = registry.champion(fleet.name)
    if number is None:
        return
    champion: RegisteredVersion = registry.resolve(fleet.name, number)
    learnt = run_record.learnt_by(registry.client, champion.run_id) or {}
    step = fleet.equipment.step
    new = {
        asset: int(learnt[asset][-1][1]) + step
        for asset in fleet.assets
        if learnt.get(asset) and asset in summaries and summaries[asset].end_ms > learnt[asset][-1][1] + step
    }
    if not new:
        return
    detector = registry.load(champion)
    if (detector.sensors, detector.step_ms) != (fleet.equipment.sensor_names, step):
        return
    scoring = ScoringModule(detector)
    with progress.task(f"score new rows of {fleet.name}", total=len(new), unit="assets") as advance:
        for asset, start in new.items():
            if asset in detector.assets:
                edges, score, normal = _scored(opened, detector, scoring, asset, start, summaries[asset].end_ms)
                for first, last in runs(standing(score, detector.window) & normal):
                    yield Stretch(asset, int(edges[first]), int(edges[last - 1]) + step)
            advance(1)


def _scored(
    opened: OpenClass, detector: TrainedDetector, scoring: ScoringModule, asset: str, start: int, end: int
) -> tuple[Ints, Floats, Bools]:
    """Edges [T] from `start` to `end`, ms, with the champion's scores [T] and whether rows are normal [T]."""
    step, before = opened.fleet.equipment.step, detector.window - 1
    edges, scores, normal = [], [], []
    for first in range(start, end + 1, _STRETCH_ROWS * step):
        grid = load_grid(opened.fleet, opened.history, asset, first - before * step, first + _STRETCH_ROWS * step)
        own = slice(int(np.searchsorted(grid.edges, first)), None)
        if not len(grid.edges[own]):
            continue
        missing = np.full((before - own.start, grid.rows.shape[1]), np.nan, np.float32)
        rows = np.concatenate([missing, grid.rows.astype(np.float32)])
        edges.append(grid.edges[own])
        normal.append(datasets.normal_rows(opened.fleet, grid)[own])
        for place in range(0, len(rows) - before, _SEGMENT_ROWS):
            segment = rows[None, place : place + _SEGMENT_ROWS + before]
            scores.append(scoring.serving_default(tf.constant([asset]), tf.constant(segment))["score"].numpy()[0])
    if not edges:
        return np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0, bool)
    return np.concatenate(edges), np.concatenate(scores), np.concatenate(normal)


def _without(fleet: Fleet, stretches: Sequence[Stretch]) -> Fleet:
    excluded = (
        Exclusion.model_validate({"asset": asset, "start": iso(start), "end": iso(end)})
        for asset, start, end in stretches
    )
    return replace(fleet, exclude=(*fleet.exclude, *excluded))


def _listed(stretches: Sequence[Stretch]) -> str:
    more = f" and {len(stretches) - NAMED} more" if len(stretches) > NAMED else ""
    return "; ".join(str(stretch) for stretch in stretches[:NAMED]) + more
