"""What an import can say about the history without reading it: assets without readings, and unsuitable settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from eugenie_cli.history.assessment.findings import ORDER, Finding
from eugenie_cli.history.assessment.missing import absent_assets
from eugenie_cli.history.assessment.rhythm import Rhythm, settings_findings
from eugenie_cli.history.assessment.sensors import FEW
from eugenie_cli.history.store import AssetSummary, History
from eugenie_cli.site.schema import Asset, EquipmentClass

# Assets of a class that are looked at, and how many of their latest readings.
ASSETS, READINGS = 3, 5_000


def first_look(history: History, classes: Mapping[str, EquipmentClass], assets: Mapping[str, Asset]) -> list[Finding]:
    """Findings from the manifest, and from the latest readings of a few assets of each class; serious ones first."""
    held = {summary.asset: summary for summary in history.summary()}
    found = list(absent_assets(held, history.sources(), assets))
    of_class: dict[str, list[AssetSummary]] = {}
    for asset, settings in assets.items():
        if asset in held:
            of_class.setdefault(settings.class_name, []).append(held[asset])
    for class_name, summaries in of_class.items():
        chosen = sorted(summaries, key=lambda summary: (-summary.readings, summary.asset))[:ASSETS]
        rhythms = _rhythms(history, classes[class_name], chosen)
        found += settings_findings(class_name, classes[class_name], rhythms)
    return sorted(found, key=lambda finding: ORDER[finding.severity])


def _rhythms(history: History, equipment: EquipmentClass, assets: list[AssetSummary]) -> dict[str, Rhythm]:
    """The intervals of each sensor with readings, on a typical asset."""
    of_sensor: dict[str, list[tuple[float, ...]]] = {}
    for summary in assets:
        for sensor, intervals in _intervals(history, summary):
            if len(intervals) >= FEW:
                figures = np.percentile(intervals, (50, 95, 99), method="lower")
                of_sensor.setdefault(sensor, []).append(tuple(figures.tolist()))
    return {
        sensor: Rhythm(*(int(value) for value in np.median(of_sensor[sensor], axis=0)))
        for sensor in equipment.sensor_names
        if sensor in of_sensor
    }


def _intervals(history: History, summary: AssetSummary) -> Iterator[tuple[str, np.ndarray]]:
    length = summary.end_ms - summary.start_ms
    start = summary.end_ms - int(length * min(1.0, READINGS / summary.readings))
    readings = history.read(summary.asset, start)
    for number, sensor in enumerate(readings.names):
        yield sensor, np.diff(readings.ts[readings.sensor == number])
