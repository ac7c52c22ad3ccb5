"""The section `readings` of a proposed source: from the parts of its columns, and what their cells show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eugenie_cli.sources.look.findings import Notes
from eugenie_cli.sources.look.qualities import quality_settings
from eugenie_cli.sources.look.shape import CONTROL, Shape
from eugenie_cli.sources.look.table import Column, SampleTable
from eugenie_cli.sources.look.times import instants_in, time_part
from eugenie_cli.sources.look.values import value_settings


def readings_of(table: SampleTable, shape: Shape, delimiter: str, type: str, notes: Notes) -> dict[str, Any]:
    """The mapping of a table, without what only the names of files say. Raises EugenieError."""
    if shape.tag is not None:
        marks = [cell.startswith(CONTROL) for cell in table[shape.tag].cells]
        if any(marks) and not all(marks):
            notes.find("not read", f"rows of {CONTROL}...", "marks of WinCC, no tags: their rows are rejected")
            table = table.with_rows([not mark for mark in marks])
    readings: dict[str, Any] = {"shape": shape.kind} if shape.kind == "wide" else {}
    if ts := _ts(table, shape, type, notes):
        readings["ts"] = ts
    for part in ("asset", "sensor", "tag"):
        if (column := getattr(shape, part)) is not None:
            readings[part] = {"path": column}
    values = [table[name] for name in shape.values]
    settings = value_settings(values, delimiter, notes)
    if shape.kind == "long":
        path = shape.values[0] if len(shape.values) == 1 else list(shape.values)
        readings["value"] = {"path": path, **settings}
    elif settings:
        readings["value"] = settings
    if quality := _quality(table, shape, notes):
        readings["quality"] = quality
    if shape.own:
        readings["columns"] = shape.own
    if shape.kind == "wide" and shape.ignored:
        readings["ignore"] = list(shape.ignored)
    _case(table, shape, readings, notes)
    return readings


def _ts(table: SampleTable, shape: Shape, type: str, notes: Notes) -> dict[str, Any]:
    ordered = type != "json"
    if not shape.instants:
        return time_part(table, shape.times, instants_in(table, shape.times), notes, ordered=ordered)
    typed = table[shape.instants[0]].typed
    joined = SampleTable((Column("timestamp", [c for name in shape.instants for c in table[name].cells], typed),))
    return time_part(joined, (), instants_in(joined, ("timestamp",)), notes, ordered=ordered)


def _quality(table: SampleTable, shape: Shape, notes: Notes) -> dict[str, Any]:
    if shape.qualities:
        codes = [cell for name in shape.qualities for cell in table[name].cells]
        if not any(codes):
            return {"scheme": "words"}
        texts = [cell for name in shape.values for cell in table[name].cells]
        column = Column(shape.qualities[0], codes, table[shape.qualities[0]].typed)
        found = quality_settings(column, texts if len(texts) == len(codes) else (), table.names, notes)
        return found or {"scheme": "words"}
    if shape.quality is None:
        return {}
    column = table[shape.quality]
    values = table[shape.values[0]].cells if len(shape.values) == 1 else ()
    return {"path": shape.quality, **quality_settings(column, values, table.names, notes)}


def _case(table: SampleTable, shape: Shape, readings: dict[str, Any], notes: Notes) -> None:
    """Read tags without regard to case if the data write one in several ways."""
    tags = tags_of(table, shape)
    folded: dict[str, str] = {}
    for tag in tags:
        if (other := folded.setdefault(tag.casefold(), tag)) != tag:
            readings["case"] = "ignore"
            notes.check("case", f"{other} and {tag} were taken for the same tag", "if they are two, remove `case`")


def tags_of(table: SampleTable, shape: Shape) -> dict[str, str]:
    """Tag -> its column, "" for a tag that is in the rows."""
    column = shape.sensor or shape.tag
    if shape.kind == "long":
        named = table[column].counts if column is not None else {}
        return {cell: "" for cell in sorted(named) if not cell.startswith(CONTROL)}
    if shape.own.get("repeat") == ["tag", "value"]:
        before = [table.names[table.names.index(value) - 1] for value in shape.values]
        return {cell: "" for name in before for cell in sorted(table[name].counts)}
    return {tag: column for column, tag in shape.tags.items()}


def sensors_of_assets(table: SampleTable, shape: Shape) -> Mapping[str, list[str]]:
    """Asset -> its sensors, of a table with a column of assets."""
    assert shape.asset is not None  # noqa: S101 - the caller knows
    assets = table[shape.asset].cells
    found: dict[str, dict[str, None]] = {}
    if shape.kind == "long" and shape.sensor is not None:
        for asset, sensor in zip(assets, table[shape.sensor].cells, strict=True):
            if asset and sensor:
                found.setdefault(asset, {})[sensor] = None
    else:
        for column, tag in shape.tags.items():
            for asset, cell in zip(assets, table[column].cells, strict=True):
                if asset and cell:
                    found.setdefault(asset, {})[tag] = None
    return {asset: sorted(sensors) for asset, sensors in sorted(found.items())}
