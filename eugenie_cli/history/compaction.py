"""Merges small files of the history into few large ones. Items stay what they were: recognised, dropped and replaced.

A merged file contains the readings of many parts, sorted by (asset, sensor, ts) like any file, with a column that says
which part each reading belongs to. The manifest keeps an entry for each part, with the SHA-256 that the part had as a
file, and its number in the merged file. So the fingerprint, the counts of conflicts and the age of every reading are
unchanged. A part that the manifest no longer lists does not count; the next compaction removes its readings.

A merged file's name contains its own SHA-256. Every merged file is one commit: a killed compaction loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from eugenie_cli.files import replace_file, sha256, sync
from eugenie_cli.history.batch import Series, arranged
from eugenie_cli.history.disk import written_to
from eugenie_cli.history.manifest import Item, Sources, Span, update_manifest
from eugenie_cli.history.parquet import Sorted, write_readings
from eugenie_cli.history.part_files import Columns, read_columns
from eugenie_cli.history.snapshot import Ages, Placed, by_file
from eugenie_cli.history.store import RUN_ROWS, History
from eugenie_cli.progress import SILENT, Progress

MERGED_NAME = "merged-{}.parquet"
# A file is merged with others while it has less than this share of the readings of a full one.
SMALL = 0.5
# A merged file is written again without its readings that no longer count when they are more than this share of it.
MOST_UNUSED = 0.25

Place = tuple[str, int | None]
"""Where a part's readings are: the file, and the part's number in it."""


@dataclass(frozen=True)
class Compacted:
    """The files of a source before and after a compaction, and the readings that were written again."""

    source: str
    before: int
    after: int
    readings: int


def compact(history: History, source: str, progress: Progress = SILENT, *, run_rows: int = RUN_ROWS) -> Compacted:
    """Merge the small files of a source into files of up to `run_rows` readings, the oldest readings first.

    Files that are replaced stay for readers with an older manifest, until a vacuum or the next import of the source.
    Raises EugenieError (REFUSED) while the source is imported, and for a damaged file, which is left as it is.
    """
    with history.writer(source):  # its lock; nothing is written by it
        files = by_file(placed for placed in history.snapshot().placed if placed.source == source)
        groups = _groups(history.root, files, run_rows)
        total = sum(_rows(files[file]) for group in groups for file in group)
        with progress.task(f"compact {source}", total, "readings") as advance:
            for group in groups:
                with written_to(history.root):
                    moved = _merge(history.root, source, [files[file] for file in group])
                    update_manifest(history.root / "manifest.json", partial(_move, moved=moved))
                advance(sum(_rows(files[file]) for file in group))
    after = len(by_file(placed for placed in history.snapshot().placed if placed.source == source))
    return Compacted(source, len(files), after, total)


def _rows(placed: Iterable[Placed]) -> int:
    return sum(entry.part.rows for entry in placed)


def _groups(root: Path, files: dict[str, list[Placed]], run_rows: int) -> list[list[str]]:
    """Files to merge into one, for each new file. No group where nothing would be gained."""
    unused = {file: _unused(root, file, placed) for file, placed in files.items()}
    wasteful = {file for file, share in unused.items() if share > MOST_UNUSED}
    chosen = [file for file, placed in files.items() if file in wasteful or _rows(placed) < SMALL * run_rows]
    chosen.sort(key=lambda file: (min(span.start for entry in files[file] for span in _spans(entry)), file))
    groups: list[list[str]] = []
    room = 0
    for file in chosen:
        rows = _rows(files[file])
        if rows > room or not groups:
            groups.append([])
            room = run_rows
        groups[-1].append(file)
        room -= rows
    return [group for group in groups if len(group) > 1 or group[0] in wasteful]


def _spans(placed: Placed) -> Iterable[Span]:
    return placed.part.assets.values()


def _unused(root: Path, file: str, placed: list[Placed]) -> float:
    """The share of a file's readings that belong to no part."""
    if placed[0].part.item is None:
        return 0.0
    rows: int = pq.read_metadata(root / file).num_rows
    return 1 - _rows(placed) / rows


def _merge(root: Path, source: str, files: Sequence[Sequence[Placed]]) -> dict[Place, Place]:
    """Write the readings of the parts in `files` as one file. Returns where each part was, and is now."""
    numbers: dict[Place, int] = {}
    series: dict[Series, int] = {}
    columns = []
    for placed in files:
        own = {entry.part.item: len(numbers) + n for n, entry in enumerate(placed)}
        numbers |= {(placed[0].part.file, item): number for item, number in own.items()}
        columns.append(_numbered(read_columns(root / placed[0].part.file), placed, own, series))
    index, ts, value, item = (np.concatenate(column) for column in zip(*columns, strict=True))
    ordered = sorted(series)
    rank = np.empty(len(ordered), np.int32)
    rank[[series[pair] for pair in ordered]] = np.arange(len(ordered), dtype=np.int32)
    order, index, ts = arranged(rank[index], ts)
    value, item = value[order], item[order]
    starts = np.searchsorted(index, np.arange(len(ordered) + 1, dtype=np.int32))
    readings = Sorted(ordered, starts, ts, value, item)
    folder = Path("parts") / source
    unnamed = root / folder / MERGED_NAME.format("next")
    replace_file(unnamed, lambda target: write_readings(readings, target, small=True))
    file = folder / MERGED_NAME.format(sha256(unnamed))
    unnamed.replace(root / file)
    sync(root / folder)
    return {place: (str(file), number) for place, number in numbers.items()}


def _numbered(
    columns: Columns, placed: Sequence[Placed], own: dict[int | None, int], series: dict[Series, int]
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64], NDArray[np.int32]]:
    """(series, ts, value, number of the part in the new file) of the readings that count."""
    counts = Ages.of(placed).counting(columns.item)
    if counts is not None:
        columns = columns.only(counts)
    pair = columns.asset * np.int64(len(columns.sensors)) + columns.sensor
    first = np.flatnonzero(np.append(True, pair[1:] != pair[:-1])[: len(pair)])  # where each series begins
    names = [(columns.assets[columns.asset[n]], columns.sensors[columns.sensor[n]]) for n in first.tolist()]
    lookup = np.array([series.setdefault(name, len(series)) for name in names], np.int32)
    index = np.repeat(lookup, np.diff(np.append(first, len(pair))))
    if columns.item is None:
        item = np.full(len(columns.ts), own[None], np.int32)
    else:
        renumbered = np.zeros(int(columns.item.max()) + 1, np.int32)
        renumbered[list(own)] = list(own.values())
        item = renumbered[columns.item]
    return index, columns.ts, columns.value, item


def _move(sources: Sources, moved: dict[Place, Place]) -> Sources:
    """The manifest with every part at its new place. An import of another source may have adopted items meanwhile."""
    return {name: {key: _moved(item, moved) for key, item in items.items()} for name, items in sources.items()}


def _moved(item: Item, moved: dict[Place, Place]) -> Item:
    if not any((part.file, part.item) in moved for part in item.parts):
        return item
    parts = []
    for part in item.parts:
        file, number = moved.get((part.file, part.item), (part.file, part.item))
        parts.append(replace(part, file=file, item=number))
    return replace(item, parts=tuple(parts))
