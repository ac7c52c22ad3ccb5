"""Which machines the readings of files are of: by a column, the names of the files, or the names of tags."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eugenie_cli.errors import EugenieError
from eugenie_cli.printable import printable
from eugenie_cli.sources.look.csv_files import FileLook
from eugenie_cli.sources.look.file_names import are_periods, pattern_of, stem_of
from eugenie_cli.sources.look.findings import Notes
from eugenie_cli.sources.look.mapping import sensors_of_assets, tags_of
from eugenie_cli.sources.look.plant import Plant, of_tags, unfit
from eugenie_cli.sources.look.sensor_names import Member, member_of, named
from eugenie_cli.sources.look.shape import Shape
from eugenie_cli.sources.look.shape_choice import shape_of
from eugenie_cli.sources.look.table import SampleTable
from eugenie_cli.sources.look.times import instants_in

SHORT = 4
"""A shorter name of a file, such as `a.csv`, names nothing."""


def plant_of(
    files: Sequence[FileLook], table: SampleTable, shape: Shape, readings: dict[str, Any], notes: Notes
) -> Plant:
    """The assets and sensors of files of one kind, whose rows are `table`. Adds to `readings` what the names of files
    say. Raises EugenieError for assets that a site file cannot name.
    """
    units = {name: unit for look in files for name, unit in look.units.items()}
    labels = {name: label for look in files for name, label in look.labels.items()}
    paths = [look.path for look in files]
    if shape.asset is not None:
        return _of_column(table, shape, units, readings)
    if shape.per_file:
        pattern, tags = pattern_of(paths, "tag")
        readings["tag"] = {"file": pattern}
        notes.find("tags", ", ".join(sorted(set(tags.values()))[:6]), "the names of the files")
        notes.check("tag", "the names of the files were taken for tags, because the files do not name them")
        if len({path.parent for path in paths}) > 1:
            return _of_folders(paths, tags, units, readings, notes)
        return of_tags([member_of(tag, units) for tag in dict.fromkeys(tags.values())], "machine-1")
    by_file = _of_files(files, units, readings, notes)
    if by_file is not None:
        return by_file
    members = [member_of(tag, units, column, labels.get(column, "")) for tag, column in tags_of(table, shape).items()]
    return of_tags(members, "machine-1" if len(paths) > 1 or len(stem_of(paths[0])) < SHORT else stem_of(paths[0]))


def _of_folders(
    paths: Sequence[Path], tags: Mapping[Path, str], units: Mapping[str, str], readings: dict[str, Any], notes: Notes
) -> Plant:
    """Assets named by folders, in which files are named by their tags."""
    pattern, assets = pattern_of(paths, "asset")
    if odd := unfit(assets.values()):
        raise EugenieError(
            f"the folder {printable(odd[0], 60)!r} cannot name an asset",
            "rename the folders: letters, digits, '.', '_' and '-'",
        )
    readings["asset"] = {"file": pattern}
    listed = ", ".join(sorted(set(assets.values()))[:6])
    notes.check("asset", f"the names of the folders were taken for assets ({listed})")
    own = [{tags[path]: member_of(tags[path], units)} for path in paths]
    return Plant(_by_name(assets, paths, own))


def _of_column(table: SampleTable, shape: Shape, units: Mapping[str, str], readings: dict[str, Any]) -> Plant:
    assets = sensors_of_assets(table, shape)
    if odd := unfit(assets):
        raise EugenieError(
            f"assets such as {printable(odd[0], 60)!r} in the column {shape.asset!r} cannot be names in a site file",
            "export names of letters, digits, '.', '_' and '-', or tags instead of assets",
        )
    plant = Plant({asset: [member_of(sensor, units) for sensor in sensors] for asset, sensors in assets.items()})
    if shape.kind == "wide":
        return Plant({asset: named(members) for asset, members in plant.assets.items()})
    if any(member.name != member.tag for members in plant.assets.values() for member in members):
        readings["tag"] = readings.pop("sensor")  # with its unit, it is no sensor's name
    return plant


def _of_files(
    files: Sequence[FileLook], units: Mapping[str, str], readings: dict[str, Any], notes: Notes
) -> Plant | None:
    """Assets named by the files, if these have sensors of the same names that are no addresses, or at the same time."""
    paths = [look.path for look in files]
    pattern, names = pattern_of(paths, "asset")
    shapes = [shape_of(look.table, "", Notes(), annotated=look.annotated) for look in files]
    own = [
        {
            tag: member_of(tag, units, column, look.labels.get(column, ""))
            for tag, column in tags_of(look.table, shape).items()
        }
        for look, shape in zip(files, shapes, strict=True)
    ]
    members = [member for tags in own for member in tags.values()]
    addresses, several = _are_addresses(members), len(set(names.values())) > 1
    if several and not _share(own):
        return None
    if not several and (addresses or len(stem_of(paths[0])) < SHORT):
        return None
    if several and (addresses or are_periods(names.values())) and not _overlap(files, shapes):
        notes.find("files", "one after the other in time", "so their names are no assets")
        return None
    if odd := unfit(names.values()):
        if several:
            raise EugenieError(
                f"several files have the same columns, and names such as {printable(odd[0], 60)!r} cannot name assets",
                "rename the files: letters, digits, '.', '_' and '-'",
            )
        return None
    readings["asset"] = {"file": pattern}
    listed = ", ".join(sorted(set(names.values()))[:6])
    notes.find("assets", listed, "the names of the files")
    notes.check(
        "asset",
        f"the names of the {'folders' if pattern == '{parent}' else 'files'} were taken for assets ({listed})",
        "if tags are unique, remove `asset`",
    )
    return Plant(_by_name(names, paths, own))


def _by_name(
    names: Mapping[Path, str], paths: Sequence[Path], own: Sequence[Mapping[str, Member]]
) -> dict[str, list[Member]]:
    found: dict[str, dict[str, Member]] = {}
    for path, members in zip(paths, own, strict=True):
        found.setdefault(names[path], {}).update(members)
    return {asset: named(list(found[asset].values())) for asset in sorted(found)}


def _share(own: Sequence[Mapping[str, Member]]) -> bool:
    """Whether two files have a sensor of the same name."""
    seen: set[str] = set()
    for tags in own:
        if seen & tags.keys():
            return True
        seen |= tags.keys()
    return False


def _are_addresses(members: Sequence[Member]) -> bool:
    """Whether most names are tags of a plant, such as PT-101.PV, rather than words such as pressure."""
    addresses = [m for m in members if any(c.isdigit() for c in m.name) or any(c in "./\\:" for c in m.name)]
    return 2 * len(addresses) > len(members)


def _overlap(files: Sequence[FileLook], shapes: Sequence[Shape]) -> bool:
    """Whether files are of the same time."""
    spans = []
    for look, shape in zip(files, shapes, strict=True):
        names = shape.times or shape.instants[:1]
        if len(names) != 1:
            return False
        read = instants_in(look.table, names).reader()
        found = [at for cell in look.table[names[0]].cells if (at := read(cell)) is not None]
        if found:
            spans.append((min(found), max(found)))
    spans.sort()
    return any(later[0] < earlier[1] for earlier, later in itertools.pairwise(spans))
