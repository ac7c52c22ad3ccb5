"""Checks of a site file beyond its types: names must exist, and values must be consistent with each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import NamedTuple

from eugenie_cli.site.checks.engines import check_engines
from eugenie_cli.site.checks.mapping import check_mapping
from eugenie_cli.site.checks.model import contradictions, too_few_sensors
from eugenie_cli.site.detectors import DetectorSettings
from eugenie_cli.site.diagnostics import Path, did_you_mean
from eugenie_cli.site.field_types import show_duration
from eugenie_cli.site.mapping_parts import ANY_SENSOR, Part
from eugenie_cli.site.names import no_such
from eugenie_cli.site.partial import Parts
from eugenie_cli.site.promotion import PromotionGate
from eugenie_cli.site.readings_mapping import ReadingsMapping
from eugenie_cli.site.schema import Asset, EquipmentClass, Period
from eugenie_cli.site.units import UnitProblem, conversion


class Finding(NamedTuple):
    """A problem at a path.

    at_key: points to the key instead of its value.
    needs:  other values from which it was derived: it is not reported if one of them is itself invalid.
    """

    path: Path
    message: str
    at_key: bool = False
    needs: tuple[Path, ...] = ()


Findings = Iterator[Finding]


def check(parts: Parts) -> Iterator[Finding]:
    """All findings in a site's parts, in no particular order."""
    yield from _sources(parts)
    for index, exclusion in enumerate(parts.exclude):
        if exclusion is not None:
            yield from _period(("exclude", index), exclusion)
            if exclusion.asset is not None:
                yield from known(("exclude", index, "asset"), "asset", exclusion.asset, parts.assets)
    used = {asset.class_name for asset in parts.assets.values() if asset is not None}
    for name, equipment in parts.classes.items():
        if equipment is not None:
            yield from _class(("classes", name), equipment)
        if name not in used and None not in parts.assets.values():
            yield Finding(("classes", name), "this class has no asset", at_key=True)
    for name, asset in parts.assets.items():
        if asset is not None:
            yield from _asset(("assets", name), asset, parts.classes)
    if not parts.sources or _has_tags_alone(parts):
        yield from _tags_of_two_assets(parts.assets)
    for path, message in check_engines(parts):
        yield Finding(path, message)


def known(path: Path, what: str, name: str, names: Iterable[str]) -> Findings:
    """Yields a finding if `name` is not among `names`."""
    names = list(names)
    if name not in names:
        yield Finding(path, no_such(what, name, names))


def _sources(parts: Parts) -> Findings:
    seen: set[str] = set()
    for index, source in enumerate(parts.sources):
        if source is None:
            continue
        path: Path = ("sources", index)
        if source.name in seen:
            yield Finding((*path, "name"), f"another source is named {source.name}")
        seen.add(source.name)
        readings = source.mapping_to_check()
        if isinstance(readings, ReadingsMapping):
            for place, message in check_mapping(readings, of_file=source.of_files, of_kafka=source.of_kafka):
                at: Path = (*path, "readings")
                yield Finding((*at, *place), message, needs=((*at, "shape"),))
            yield from _constants((*path, "readings"), readings.asset, readings.sensor, parts)
            yield from _units((*path, "readings", "value", "units"), readings.value.units, parts.classes)
    if parts.kafka is not None:
        yield from _constants(("kafka", "readings"), parts.kafka.readings.asset, parts.kafka.readings.sensor, parts)
        yield from _units(("kafka", "readings", "value", "units"), parts.kafka.readings.value.units, parts.classes)


def _units(path: Path, units: Mapping[str, str], classes: Mapping[str, EquipmentClass | None]) -> Findings:
    """Units of a source that are not those of the classes and cannot be converted to them."""
    sensors = [sensor for equipment in classes.values() if equipment is not None for sensor in equipment.sensors]
    for name, given in units.items():
        at: Path = path if name == ANY_SENSOR else (*path, name)
        if name != ANY_SENSOR and None not in classes.values():
            yield from known(at, "sensor", name, [sensor.name for sensor in sensors])
        for sensor in sensors:
            if name not in (sensor.name, ANY_SENSOR) or (name == ANY_SENSOR and sensor.name in units):
                continue
            if not sensor.unit:
                yield Finding(at, f"{sensor.name} has no unit in its class: add `unit`, to which {given} is converted")
                continue
            try:
                conversion(given, sensor.unit)
            except UnitProblem as problem:
                yield Finding(at, f"{sensor.name}: {problem}")


def _constants(path: Path, asset: Part | None, sensor: Part | None, parts: Parts) -> Findings:
    if asset is not None and asset.const is not None:
        yield from known((*path, "asset", "const"), "asset", asset.const, parts.assets)
    if sensor is not None and sensor.const is not None and None not in parts.classes.values():
        names = [name for equipment in parts.classes.values() if equipment for name in equipment.sensor_names]
        yield from known((*path, "sensor", "const"), "sensor", sensor.const, names)


def _period(path: Path, period: Period) -> Findings:
    if period.end <= period.start:
        yield Finding((*path, "end"), "must be after start")


def _class(path: Path, equipment: EquipmentClass) -> Findings:
    first: dict[str, int] = {}
    for index, sensor in enumerate(equipment.sensors):
        at: Path = (*path, "sensors", index)
        if sensor.name in first:
            yield Finding((*at, "name"), f"sensors[{first[sensor.name]}] is named {sensor.name} too")
        first.setdefault(sensor.name, index)
        if sensor.low is not None and sensor.high is not None and sensor.low >= sensor.high:
            yield Finding((*at, "low"), "must be less than high")
    if equipment.running is not None:
        yield from known((*path, "running", "sensor"), "sensor", equipment.running.sensor, equipment.sensor_names)
    if all(sensor.role == "context" for sensor in equipment.sensors):
        yield Finding((*path, "sensors"), "every sensor is context: at least one must be scored")
    at_least = f"must be at least the step, {show_duration(equipment.step)}"
    step: Path = (*path, "step")
    if equipment.max_gap < equipment.step:
        yield Finding((*path, "max_gap"), at_least, needs=(step,))
    if equipment.alarm.silence is not None and equipment.alarm.silence < equipment.step:
        yield Finding((*path, "alarm", "silence"), at_least, needs=(step,))
    yield from _model((*path, "model"), equipment.model)
    scored = [sensor.name for sensor in equipment.sensors if sensor.role != "context"]
    if len(scored) == 1 and (problem := too_few_sensors(equipment.model, scored)):
        yield Finding((*path, "model", "type"), problem)
    if equipment.promotion is not None:
        yield from _promotion((*path, "promotion"), equipment.promotion)


def _promotion(path: Path, gate: PromotionGate) -> Findings:
    if gate.last is not None and (gate.start is not None or gate.end is not None):
        yield Finding((*path, "last"), "is instead of start and end")
    if gate.start is not None and gate.end is not None and gate.end <= gate.start:
        yield Finding((*path, "end"), "must be after start")


def _model(path: Path, model: DetectorSettings) -> Findings:
    for problem in contradictions(model):
        yield Finding((*path, problem.key), problem.message, needs=tuple((*path, key) for key in problem.needs))


def _asset(path: Path, asset: Asset, classes: Mapping[str, EquipmentClass | None]) -> Findings:
    if asset.class_name not in classes:
        yield from known((*path, "class"), "class", asset.class_name, classes)
    equipment = classes.get(asset.class_name)
    if equipment is not None:
        names = equipment.sensor_names
        for sensor in asset.tags:
            if sensor not in names:
                meant = did_you_mean(sensor, names)
                yield Finding(
                    (*path, "tags", sensor),
                    f"class {asset.class_name} has no such sensor{meant}",
                    at_key=True,
                )
        yield from _tags_of_one_asset(path, asset, names)
    for index, period in enumerate(asset.normal):
        yield from _period((*path, "normal", index), period)
        if any(period.start < other.end and other.start < period.end for other in asset.normal[:index]):
            yield Finding((*path, "normal", index), "overlaps an earlier period in this list")
    if asset.normal and equipment is not None:
        yield from _enough_rows((*path, "normal"), asset, equipment)


def _enough_rows(path: Path, asset: Asset, equipment: EquipmentClass) -> Findings:
    total = sum(((period.end - period.start) for period in asset.normal), timedelta())
    rows = total // timedelta(milliseconds=equipment.step)
    if 0 < rows <= equipment.model.window:
        yield Finding(
            path,
            f"holds {rows} rows of {show_duration(equipment.step)}: a window has {equipment.model.window}",
        )


def _tags_of_one_asset(path: Path, asset: Asset, sensors: tuple[str, ...]) -> Findings:
    """Two sensors of one asset with the same tag; the tag of a sensor without one is its own name."""
    if len({asset.tags.get(sensor, sensor) for sensor in sensors}) == len(sensors):
        return
    owners: dict[str, str] = {}
    for sensor in sensors:
        tag = asset.tags.get(sensor, sensor)
        other = owners.setdefault(tag, sensor)
        if other != sensor:
            at = sensor if sensor in asset.tags else other
            yield Finding((*path, "tags", at), f"{tag} is the tag of {other if at == sensor else sensor} too")


def _has_tags_alone(parts: Parts) -> bool:
    """Whether readings from anywhere have a tag and no asset, so that a tag must belong to one asset."""
    mappings = [source.mapping_to_check() for source in parts.sources if source is not None]
    if parts.kafka is not None:
        mappings.append(parts.kafka.readings)
    return any(not isinstance(mapping, ReadingsMapping) or mapping.asset is None for mapping in mappings)


def _tags_of_two_assets(assets: Mapping[str, Asset | None]) -> Findings:
    owners: dict[str, tuple[str, str]] = {}
    for name, asset in assets.items():
        for sensor, tag in (asset.tags if asset is not None else {}).items():
            other, other_sensor = owners.setdefault(tag, (name, sensor))
            if other != name:
                yield Finding(("assets", name, "tags", sensor), f"{tag} is the tag of {other}'s {other_sensor} too")
