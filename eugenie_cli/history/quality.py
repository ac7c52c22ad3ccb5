"""The data quality of the history, to be checked before a model learns from it: by sensor, and a grade by asset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.history.assessment.clocks import clock_findings
from eugenie_cli.history.assessment.findings import ORDER, Finding
from eugenie_cli.history.assessment.grades import Grade, grades
from eugenie_cli.history.assessment.measurements import Measurements, blocks
from eugenie_cli.history.assessment.missing import missing_findings
from eugenie_cli.history.assessment.rhythm import Rhythm, settings_findings
from eugenie_cli.history.assessment.sensors import FEW, coverage, sensor_findings
from eugenie_cli.history.assessment.statistics import NONE, Statistics, joined, statistics
from eugenie_cli.history.assessment.units import unit_findings
from eugenie_cli.history.store import History
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.site.field_types import to_ms
from eugenie_cli.site.schema import EquipmentClass, Exclusion, Period, Site


@dataclass(frozen=True)
class SensorQuality:
    """One sensor of one asset. Shares of its readings are from 0 to 1.

    `median_period_ms`: between successive readings, including bad ones; None for fewer than two.
    `longest_gap_ms`: between successive good readings. `flat`: share of readings in runs of at least
    `assessment.statistics.FLAT_RUN` equal values. `repeated`: readings that shared their instant with another;
    `conflicts`: instants for which readings disagreed. `filled`: share of the rows between the first and last reading
    that have a value; `median`: of the good values.
    """

    asset: str
    sensor: str
    readings: int
    start_ms: int | None = None
    end_ms: int | None = None
    median_period_ms: int | None = None
    bad: float = 0.0
    out_of_range: float = 0.0
    longest_gap_ms: int | None = None
    longest_gap_start_ms: int | None = None
    flat: float = 0.0
    repeated: int = 0
    conflicts: int = 0
    filled: float = 0.0
    median: float | None = None


@dataclass(frozen=True)
class Quality:
    """The quality of some assets: a grade of each, the findings (serious ones first), and figures of every sensor."""

    assets: tuple[Grade, ...]
    findings: tuple[Finding, ...]
    sensors: tuple[SensorQuality, ...]


def assess(
    site: Site,
    history: History,
    assets: Sequence[str] = (),
    progress: Progress = SILENT,
    *,
    classes: Sequence[str] = (),
) -> Quality:
    """The quality of the given assets and classes (none: all of the site), in the site's order.

    The result includes sensors without readings. Raises EugenieError for an unknown asset or class.
    """
    requested, of_class = set(site.assets_named(assets)), set(site.classes_named(classes))
    class_of = {
        name: asset.class_name
        for name, asset in site.assets.items()
        if name in requested and asset.class_name in of_class
    }
    equipment = {name: site.classes[class_name] for name, class_name in class_of.items()}
    normal = {name: turns for name in class_of if (turns := _turns(site.assets[name].normal, site.exclude, name)).size}
    wanted = Measurements.of(equipment, normal)
    parts: list[Statistics] = []
    found: list[Finding] = []
    begun = np.array([first for first, _ in wanted.of_asset.values()])
    with progress.task("assess the history", len(class_of), "assets") as advance:
        for block in blocks(history, wanted):
            parts.append(statistics(block, wanted))
            found += clock_findings(block, wanted, parts[-1], class_of, site.timezone)
            advance(int(((begun >= block.first) & (begun < block.last)).sum()))
    stats = joined(parts)
    rhythms = _rhythms(wanted, stats, class_of)
    for class_name, of_sensors in rhythms.items():
        found += settings_findings(class_name, site.classes[class_name], of_sensors)
    found += missing_findings(wanted, stats, history.sources(), site.assets)
    found += sensor_findings(wanted, stats, class_of)
    found += unit_findings(wanted, stats, class_of, _units(site.classes))
    found.sort(key=lambda finding: ORDER[finding.severity])  # stable: causes come before their effects
    marks = {one.asset: one for one in grades(wanted, stats, {a: (class_of[a], equipment[a]) for a in class_of}, found)}
    sensors = _sensors(wanted, stats)
    ordered = [sensors[name, sensor] for name in class_of for sensor in equipment[name].sensor_names]
    return Quality(tuple(marks[name] for name in class_of), tuple(found), tuple(ordered))


def _turns(normal: Sequence[Period], exclude: Iterable[Exclusion], asset: str) -> NDArray[np.int64]:
    """int64: instants (ms) at which normal operation begins and ends by turns; empty: it is always normal."""
    excluded = [period for period in exclude if period.asset in (None, asset)]
    if not normal and not excluded:
        return np.zeros(0, np.int64)
    always = np.iinfo(np.int64)
    inside = [(to_ms(one.start), to_ms(one.end)) for one in normal] or [(int(always.min), int(always.max))]
    outside = [(to_ms(one.start), to_ms(one.end)) for one in excluded]
    edges = sorted({instant for span in (*inside, *outside) for instant in span})
    turns: list[int] = []
    for edge in edges:
        is_normal = any(start <= edge < end for start, end in inside)
        is_normal = is_normal and not any(start <= edge < end for start, end in outside)
        if is_normal != (len(turns) % 2 == 1):
            turns.append(edge)
    return np.array(turns or [int(always.max)], np.int64)


def _rhythms(wanted: Measurements, stats: Statistics, class_of: Mapping[str, str]) -> dict[str, dict[str, Rhythm]]:
    """Class -> sensor -> the intervals of a typical asset."""
    groups: dict[tuple[str, str], list[int]] = {}
    for number in np.flatnonzero((stats.readings >= FEW) & (stats.median_period > 0)).tolist():
        asset, sensor = wanted.series[number]
        groups.setdefault((class_of[asset], sensor), []).append(number)
    found: dict[str, dict[str, Rhythm]] = {}
    for (class_name, sensor), numbers in groups.items():
        typical = (np.median(column[numbers]) for column in (stats.median_period, stats.late, stats.usual_gap))
        found.setdefault(class_name, {})[sensor] = Rhythm(*(int(value) for value in typical))
    return found


def _units(classes: Mapping[str, EquipmentClass]) -> dict[tuple[str, str], str]:
    return {(name, sensor.name): sensor.unit for name, equipment in classes.items() for sensor in equipment.sensors}


def _sensors(wanted: Measurements, stats: Statistics) -> dict[tuple[str, str], SensorQuality]:
    columns = (
        *(_known(column) for column in (stats.start, stats.end, stats.median_period)),
        *(column.tolist() for column in (stats.bad, stats.out_of_range)),
        *(_known(column) for column in (stats.longest_gap, stats.longest_gap_start)),
        *(column.tolist() for column in (stats.flat, stats.repeated, stats.conflicts, coverage(wanted, stats))),
        [None if np.isnan(value) else value for value in stats.middle.tolist()],
    )
    found = {}
    for (asset, sensor), readings, *figures in zip(wanted.series, stats.readings.tolist(), *columns, strict=True):
        found[asset, sensor] = SensorQuality(asset, sensor, readings, *(figures if readings else ()))
    return found


def _known(column: NDArray[np.int64]) -> list[int | None]:
    return [None if value == NONE else value for value in column.tolist()]
