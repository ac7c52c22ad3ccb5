"""A proposed source: its entry in the site file, and the machines that its data show."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eugenie_cli.errors import EugenieError
from eugenie_cli.printable import printable
from eugenie_cli.sources.look.csv_files import FileLook
from eugenie_cli.sources.look.file_names import path_pattern, stem_of, unseen
from eugenie_cli.sources.look.findings import Notes
from eugenie_cli.sources.look.machines import plant_of
from eugenie_cli.sources.look.mapping import readings_of
from eugenie_cli.sources.look.plant import Plant, fit
from eugenie_cli.sources.look.shape import Shape
from eugenie_cli.sources.look.shape_choice import shape_of
from eugenie_cli.sources.look.table import SampleTable, pooled
from eugenie_cli.sources.look.verify import Trial
from eugenie_cli.sources.look.whole_numbers import check_whole_numbers


@dataclass
class Proposal:
    """`entry`: of `sources`, in order; `plant`: the assets and sensors that its files have; `trial`: what importing the
    files gave.
    """

    name: str
    files: list[FileLook]
    entry: dict[str, Any]
    notes: Notes
    plant: Plant
    trial: Trial = field(default_factory=Trial)

    @property
    def is_right(self) -> bool:
        """Whether every file gave readings, and lost at most half of its rows."""
        trial = self.trial
        return bool(trial.readings) and not trial.errors and 2 * trial.lost <= max(trial.rows, 1)


def kind_of(look: FileLook) -> str:
    """Equal for files that one source can read. Raises EugenieError if no source can read the file."""
    shape = shape_of(look.table, printable(str(look.path)), Notes(), annotated=look.annotated)
    settings = {key: value for key, value in look.settings.items() if key != "encoding"}
    parts = [shape.kind, shape.times, shape.asset, shape.sensor, shape.tag, shape.quality, shape.own, shape.per_file]
    values = shape.values if shape.kind == "long" or "names" in settings.get("table", {}) else ()
    return json.dumps([look.type, settings, look.mapping, parts, values, bool(shape.renamed)], sort_keys=True)


def by_encoding(files: Sequence[FileLook]) -> list[list[FileLook]]:
    """Files of one kind, divided by their encodings: plain ASCII fits any."""
    groups: dict[str, list[FileLook]] = {}
    for look in files:
        if not look.ascii:
            groups.setdefault(look.settings.get("encoding", "utf-8"), []).append(look)
    plain = [look for look in files if look.ascii]
    if not groups:
        return [plain]
    first = "utf-8" if "utf-8" in groups else next(iter(groups))
    groups[first] += plain
    return [sorted(group, key=lambda look: files.index(look)) for group in groups.values()]


def propose(name: str, files: list[FileLook], path: str, base: Path) -> Proposal:
    """The source that reads files of one kind. Raises EugenieError if there is none."""
    notes = Notes()
    for look in files:
        for finding in look.notes.findings:
            notes.find(finding.what, finding.found, finding.evidence)
        for check in look.notes.checks:
            notes.check(check.key, check.question, check.instead)
    table = pooled([look.table for look in files])
    where = printable(str(files[0].path)) if len(files) == 1 else f"{len(files)} files like {files[0].path.name}"
    shape = shape_of(table, where, notes, annotated=files[0].annotated)
    settings = dict(next((look.settings for look in files if not look.ascii), files[0].settings))
    if shape.renamed:
        _rename(files[0], table, shape, settings)
    check_whole_numbers(table, shape, settings.get("delimiter", ",") if files[0].type == "csv" else "", notes)
    readings = readings_of(table, shape, settings.get("delimiter", ","), files[0].type, notes)
    _of_documents(files[0], readings)
    plant = plant_of(files, table, shape, readings, notes)
    if more := unseen([look.path for look in files], path, base):
        notes.check("path", f"the pattern {path} also matches files that were not looked at: {', '.join(more[:4])}")
    for said in {look.sample.said for look in files if look.sample is not None and look.sample.said}:
        notes.find("looked at", said)
    entry = {"name": name, "type": files[0].type, "path": path, **settings, "readings": readings}
    return Proposal(name, files, entry, notes, plant)


def paths_of(files: list[FileLook], others: Sequence[Path], base: Path) -> list[tuple[str, list[FileLook]]]:
    """(path of the source, its files): one pattern for all files, or a source for each file."""
    pattern = path_pattern([look.path for look in files], others, base)
    if pattern is not None:
        return [(pattern, files)]
    return [(path_pattern([look.path], (), base) or str(look.path), [look]) for look in files]


def _rename(look: FileLook, table: SampleTable, shape: Shape, settings: dict[str, Any]) -> None:
    """Name the columns of groups by their tags: the header names the instants first."""
    if look.type != "csv":
        raise EugenieError(
            f"{printable(str(look.path))}: groups of columns begin with {shape.instants[0]!r}, which is no tag",
            "write the tag above the first column of each group, or save the sheet as CSV",
        )
    given = dict(zip(shape.values, shape.renamed, strict=True))
    settings["table"] = {"skip": look.header_lines, "names": [given.get(name) for name in table.names]}


def _of_documents(look: FileLook, readings: dict[str, Any]) -> None:
    """Where the records of JSON are."""
    if "records" in look.mapping:
        readings["records"] = look.mapping["records"]
    if "values" in look.mapping and readings.get("shape") == "wide":
        readings["value"] = {"path": look.mapping["values"], **readings.get("value", {})}


def source_name(files: Sequence[FileLook], path: str, taken: set[str]) -> str:
    """A name for a source that is not taken: of its file, or of their folder."""
    name = stem_of(files[0].path) if len(files) == 1 else Path(path).parent.name
    name = base = fit(name or files[0].type).lower() if name else files[0].type
    number = 1
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    taken.add(name)
    return name
