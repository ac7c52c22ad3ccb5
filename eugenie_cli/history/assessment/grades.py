"""A grade for each asset: whether there is enough history to train on, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from eugenie_cli.history.assessment.findings import ORDER, Finding, lasting
from eugenie_cli.history.assessment.measurements import Measurements
from eugenie_cli.history.assessment.sensors import coverage
from eugenie_cli.history.assessment.statistics import Statistics
from eugenie_cli.site.schema import EquipmentClass

Mark = Literal["ready", "doubtful", "not enough", "no readings"]
WORST: dict[str, int] = {"no readings": 0, "not enough": 1, "doubtful": 2, "ready": 3}


@dataclass(frozen=True)
class Grade:
    """Whether an asset can be trained on. `rows`: about how many rows of normal operation there are; `needed`: how many
    training needs; `complete`: the smallest share of rows with a value among its sensors. `why`: what stands against
    it, the most important first.
    """

    asset: str
    class_name: str
    grade: Mark
    rows: int
    needed: int
    readings: int
    start_ms: int | None
    end_ms: int | None
    complete: float
    why: tuple[str, ...]


def grades(
    wanted: Measurements,
    stats: Statistics,
    equipment: Mapping[str, tuple[str, EquipmentClass]],
    found: Sequence[Finding],
) -> list[Grade]:
    """The grade of each asset. `equipment`: asset -> name and settings of its class."""
    of_asset: dict[str, list[Finding]] = {}
    of_class: dict[str, list[Finding]] = {}
    for finding in found:
        if finding.severity != "note":
            if finding.asset is None:
                of_class.setdefault(finding.class_name, []).append(finding)
            else:
                of_asset.setdefault(finding.asset, []).append(finding)
    figures = _figures(wanted, stats)
    result = []
    for place, asset in enumerate(wanted.of_asset):
        class_name, settings = equipment[asset]
        readings, rows, start, end, complete = (column[place] for column in figures)
        needed = settings.model.least_rows
        against = [*of_asset.get(asset, ()), *of_class.get(class_name, ())]
        against.sort(key=lambda finding: ORDER[finding.severity])
        why = [finding.sentence for finding in against]
        mark: Mark = "ready"
        if not readings:
            mark = "no readings"
        elif rows < needed:
            mark = "not enough"
            more = lasting((needed - rows) * settings.step)
            why.insert(0, f"{asset}: {rows:,} rows of normal operation, training needs {needed:,}: import {more} more")
        elif against:
            mark = "doubtful"
        start, end = (start, end) if readings else (None, None)
        result.append(Grade(asset, class_name, mark, rows, needed, readings, start, end, complete, tuple(why)))
    return result


def _figures(wanted: Measurements, stats: Statistics) -> tuple[list[Any], ...]:
    """Of each asset: readings, rows of normal operation, first and last instant, and share of complete rows."""
    first = [begun for begun, _ in wanted.of_asset.values()]
    held = stats.readings > 0
    rows = np.maximum.reduceat(stats.normal_cells, first) - np.add.reduceat(stats.stopped_cells, first)
    columns = (
        np.add.reduceat(stats.readings, first),
        np.maximum(rows, 0),
        np.minimum.reduceat(np.where(held, stats.start, np.iinfo(np.int64).max), first),
        np.maximum.reduceat(stats.end, first),
        np.minimum.reduceat(np.where(held, coverage(wanted, stats), 0.0), first),
    )
    return tuple(column.tolist() for column in columns)


def worst_first(marks: Sequence[Grade]) -> list[Grade]:
    """The grades, the ones that need most attention first."""
    return sorted(marks, key=lambda one: (WORST[one.grade], -len(one.why), one.complete, one.asset))
