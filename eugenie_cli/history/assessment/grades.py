"""A grade for each asset: whether there is enough history to train on, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

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
    covered = coverage(wanted, stats)
    result = []
    for asset, (first, last) in wanted.of_asset.items():
        class_name, settings = equipment[asset]
        own = slice(first, last)
        readings = int(stats.readings[own].sum())
        rows = max(int((stats.normal_cells[own] - stats.stopped_cells[own].sum()).max()), 0)
        needed = settings.model.least_rows
        held = stats.readings[own] > 0
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
        result.append(
            Grade(
                asset,
                class_name,
                mark,
                rows,
                needed,
                readings,
                int(stats.start[own][held].min()) if readings else None,
                int(stats.end[own].max()) if readings else None,
                float(np.where(held, covered[own], 0.0).min()),
                tuple(why),
            )
        )
    return result


def worst_first(marks: Sequence[Grade]) -> list[Grade]:
    """The grades, the ones that need most attention first."""
    return sorted(marks, key=lambda one: (WORST[one.grade], -len(one.why), one.complete, one.asset))
