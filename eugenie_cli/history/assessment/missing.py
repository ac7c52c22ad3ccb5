"""Assets and sensors without readings, with the columns of their files that are not used."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from eugenie_cli.history.assessment.findings import Finding, listed
from eugenie_cli.history.manifest import Item, Sources
from eugenie_cli.printable import printable
from eugenie_cli.site.schema import Asset

if TYPE_CHECKING:
    from eugenie_cli.history.assessment.measurements import Measurements
    from eugenie_cli.history.assessment.statistics import Statistics

TAG_SIGNS = re.compile(r"\d+")


@dataclass(frozen=True)
class Unused:
    """Columns and tags of imported items that match nothing of the site."""

    sources: Sources

    @cached_property
    def of_asset(self) -> dict[str, tuple[str, list[str]]]:
        """Asset -> (an item that is named after it, or holds readings of it; the unused columns of such items)."""
        found: dict[str, tuple[str, list[str]]] = {}
        for items in self.sources.values():
            for key, item in items.items():
                if not item.state.get("unknown_columns"):
                    continue
                for asset in _assets(item):
                    _, columns = found.setdefault(asset, (key, []))
                    columns.extend(name for name in item.state["unknown_columns"] if name not in columns)
        return found

    @cached_property
    def anywhere(self) -> list[str]:
        """All unused columns of items that belong to no single asset."""
        names: dict[str, None] = {}
        for items in self.sources.values():
            for item in items.values():
                if not item.state.get("names", {}).get("asset"):
                    names |= dict.fromkeys(item.state.get("unknown_columns", ()))
        return list(names)

    @cached_property
    def unknown_tags(self) -> int:
        """Rejected readings of tags that the site does not have."""
        items = (item for items in self.sources.values() for item in items.values())
        return sum(item.state.get("rejected", {}).get("unknown-tag", 0) for item in items)


def _assets(item: Item) -> list[str]:
    named = item.state.get("names", {}).get("asset")
    if named:
        return [str(named)]
    held = {asset for part in item.parts for asset in part.assets}
    return list(held) if len(held) == 1 else []


def missing_findings(
    wanted: Measurements, stats: Statistics, sources: Sources, assets: Mapping[str, Asset]
) -> Iterator[Finding]:
    """The assets without any reading, and the sensors without any of other assets."""
    unused = Unused(sources)
    for asset, (first, last) in wanted.of_asset.items():
        absent = [n for n in range(first, last) if not stats.readings[n]]
        if not absent:
            continue
        class_name = assets[asset].class_name
        if len(absent) == last - first:
            text, step = _of_asset(asset, assets, unused)
            yield Finding("no-readings", "serious", class_name, asset, None, text, step)
            continue
        for number in absent:
            sensor = wanted.series[number][1]
            text, step = _of_sensor(asset, sensor, assets[asset], unused)
            yield Finding("no-readings", "doubtful", class_name, asset, sensor, text, step)


def absent_assets(held: Collection[str], sources: Sources, assets: Mapping[str, Asset]) -> Iterator[Finding]:
    """The assets that are not among those `held` in the history."""
    unused = Unused(sources)
    for asset, settings in assets.items():
        if asset not in held:
            text, step = _of_asset(asset, assets, unused)
            yield Finding("no-readings", "serious", settings.class_name, asset, None, text, step)


def _of_asset(asset: str, assets: Mapping[str, Asset], unused: Unused) -> tuple[str, str]:
    if asset in unused.of_asset:
        item, columns = unused.of_asset[asset]
        text = f"{asset} has no readings, its file {printable(item)} has columns {_columns(columns)}"
        return text, _give_tags(asset, columns, assets)
    if unused.anywhere:
        text = f"{asset} has no readings, and columns {_columns(unused.anywhere)} match no sensor or tag of the site"
        return text, _give_tags(asset, unused.anywhere, assets)
    if unused.unknown_tags:
        text = f"{asset} has no readings, and {unused.unknown_tags:,} readings were of tags that the site does not have"
        return text, "give it `tags`, spelled as in the exports (`eugenie import` shows examples)"
    return f"{asset} has no readings", "import an export that contains it, or remove it from the site file"


def _of_sensor(asset: str, sensor: str, settings: Asset, unused: Unused) -> tuple[str, str]:
    text = f"{asset} {sensor}: it has no readings"
    tag = settings.tags.get(sensor, sensor)
    columns = unused.of_asset.get(asset, ("", []))[1] or unused.anywhere
    if columns:
        return f"{text}, and columns {_columns(columns)} are not used", f"if one is its, correct its tag ({tag})"
    return text, f"export {tag} too, correct its tag, or remove the sensor from the class"


def _columns(names: Sequence[str]) -> str:
    return listed([printable(name, 60) for name in names])


def _give_tags(asset: str, columns: Sequence[str], assets: Mapping[str, Asset]) -> str:
    """What to write: with another asset's tags as a model if the columns follow their pattern."""
    own = assets[asset]
    if own.tags:
        return f"correct its `tags`: they are {listed(own.tags.values())} in the site file"
    for name, other in assets.items():
        if other.class_name == own.class_name and other.tags:
            tags = _by_analogy(other.tags, columns)
            if tags:
                written = ", ".join(f"{sensor}: {printable(tag)}" for sensor, tag in tags.items())
                return f"give it `tags`, perhaps, as {name} has them, `tags: {{{written}}}`"
            break
    return "give it `tags` (sensor: column)"


def _by_analogy(tags: Mapping[str, str], columns: Sequence[str]) -> dict[str, str]:
    """Sensor -> column, where the columns are the tags with other numbers, in the same order; empty otherwise."""
    groups: dict[str, list[str]] = {}
    for column in columns:
        groups.setdefault(TAG_SIGNS.sub("#", column), []).append(column)
    models: dict[str, list[str]] = {}
    for tag in tags.values():
        models.setdefault(TAG_SIGNS.sub("#", tag), []).append(tag)
    if any(len(groups.get(pattern, ())) != len(known) for pattern, known in models.items()):
        return {}
    column_of = {
        tag: column
        for pattern, known in models.items()
        for tag, column in zip(sorted(known, key=_numbers), sorted(groups[pattern], key=_numbers), strict=True)
    }
    return {sensor: column_of[tag] for sensor, tag in tags.items()}


def _numbers(name: str) -> list[int]:
    return [int(digits) for digits in TAG_SIGNS.findall(name)]
