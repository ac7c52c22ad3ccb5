"""Compares every file of the history with the manifest."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eugenie_cli.errors import EugenieError
from eugenie_cli.files import sha256
from eugenie_cli.history.compaction import MERGED_NAME
from eugenie_cli.history.part_files import Columns, read_columns
from eugenie_cli.history.snapshot import Placed
from eugenie_cli.history.store import History
from eugenie_cli.history.vacuuming import temporary_files, unlisted
from eugenie_cli.printable import printable
from eugenie_cli.progress import SILENT, Progress

FEW = 3  # items that are read again one by one; with more, the whole source is


@dataclass(frozen=True)
class Damage:
    """A file that is not what the manifest says. `items`: those with readings in it; `next`: the next step."""

    file: str
    what: str
    source: str
    items: tuple[str, ...]
    readings: int
    next: str


@dataclass(frozen=True)
class Verification:
    """Files and readings that were compared. `unlisted`: files that the manifest does not list; they do no harm."""

    files: int
    readings: int
    damaged: tuple[Damage, ...]
    unlisted: int
    unlisted_bytes: int


def verify(history: History, progress: Progress = SILENT) -> Verification:
    """Compare the SHA-256 and the readings of every part with the manifest. Changes nothing.

    A file that a running import or compaction replaces is compared in its new state. Raises EugenieError for a damaged
    manifest.
    """
    checked: dict[str, str | None] = {}
    size = len(history.snapshot().by_file)
    with progress.task("verify the history", size, "files") as advance:
        while True:
            snapshot = history.snapshot()
            remaining = [file for file in snapshot.by_file if file not in checked]
            for file in remaining:
                checked[file] = _fault(history.root, file, snapshot.by_file[file])
                advance(1)
            if not remaining or history.snapshot() is snapshot:
                break
    snapshot = history.snapshot()
    damaged = [
        damage
        for file, placed in sorted(snapshot.by_file.items())
        if (what := checked.get(file)) is not None
        for damage in _damages(file, what, placed)
    ]
    spare = list(_unlisted(history))
    readings = sum(placed.part.rows for placed in snapshot.placed)
    return Verification(len(snapshot.by_file), readings, tuple(damaged), len(spare), sum(spare))


def _unlisted(history: History) -> Iterator[int]:
    parts = history.root / "parts"
    sources = history.sources()
    for folder in sorted(parts.iterdir()) if parts.is_dir() else ():
        if folder.is_dir():
            yield from (path.stat().st_size for path in unlisted(history.root, folder.name, sources))
    yield from (path.stat().st_size for path in temporary_files(history.root))


def _fault(root: Path, file: str, placed: list[Placed]) -> str | None:
    """What is wrong with a file; None if nothing is."""
    path = root / file
    try:
        digest = sha256(path)
    except FileNotFoundError:
        return "it is missing"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    part = placed[0].part
    if part.sha256 != digest if part.item is None else path.name != MERGED_NAME.format(digest):
        return f"its content has changed: its SHA-256 is {digest}"
    try:
        columns = read_columns(path)
    except (EugenieError, FileNotFoundError) as error:
        return f"it cannot be read: {error}"
    wrong = next((entry for entry, own in _parts(placed, columns) if not _agrees(entry, own)), None)
    if wrong is None:
        return None
    return f"its readings of {printable(wrong.key)} are not those that the manifest lists"


def _parts(placed: list[Placed], columns: Columns) -> Iterator[tuple[Placed, Columns]]:
    """Each part with its readings."""
    if columns.item is None:
        yield from ((entry, columns) for entry in placed)
        return
    order = np.argsort(columns.item, kind="stable")
    numbers, columns = columns.item[order], columns.only(order)
    for entry in placed:
        number = -1 if entry.part.item is None else entry.part.item
        start, stop = np.searchsorted(numbers, [number, number + 1])
        yield entry, columns.only(slice(start, stop))


def _agrees(placed: Placed, columns: Columns) -> bool:
    """Whether a part has the readings of each asset that the manifest lists, with their first and last instants."""
    if len(columns.ts) != placed.part.rows or int(np.isnan(columns.value).sum()) != placed.part.bad:
        return False
    first = np.flatnonzero(np.append(True, columns.asset[1:] != columns.asset[:-1])[: len(columns.ts)])
    found = {}
    for start, stop in itertools.pairwise([*first.tolist(), len(columns.ts)]):
        own = columns.ts[start:stop]
        found[columns.assets[columns.asset[start]]] = (stop - start, int(own.min()), int(own.max()))
    return found == placed.part.assets


def _damages(file: str, what: str, placed: list[Placed]) -> Iterator[Damage]:
    for source in sorted({entry.source for entry in placed}):
        own = [entry for entry in placed if entry.source == source]
        items = tuple(sorted({entry.key for entry in own}))
        readings = sum(entry.part.rows for entry in own)
        yield Damage(file, what, source, items, readings, _next(source, items))


def _next(source: str, items: tuple[str, ...]) -> str:
    name = shlex.quote(printable(source))
    if len(items) > FEW:
        return (
            f"`eugenie import {name} --again` reads its files again; `eugenie history drop {name} ITEM` removes an item"
            " whose file is gone"
        )
    keys = " ".join(shlex.quote(printable(item)) for item in items)
    return (
        f"`eugenie history drop {name} {keys}` and `eugenie import {name}` read it again, if its file still exists;"
        " otherwise restore the history from a backup"
    )
