"""The history of a site: sorted Parquet parts under a manifest.

`<root>/manifest.json` is the commit point; `<root>/parts/<source>/*.parquet` are immutable and sorted by (asset,
sensor, ts). The next import of a source removes files that a killed import left or a commit replaced; until then a
reader with the older manifest still finds its files.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import AssetReadings, Batch, merge
from eugenie_cli.history.manifest import (
    Item,
    PartFile,
    Sources,
    fingerprint,
    only_one,
    read_manifest,
    update_manifest,
)
from eugenie_cli.history.overlaps import OverlapTotals, ages, look, overlaps
from eugenie_cli.history.parquet import PartWriter, read_part
from eugenie_cli.readings.limits import Limits

T = TypeVar("T")

# Readings sorted in memory at a time (about 21 bytes each, twice that while sorting).
RUN_ROWS = 2_000_000
# Writing a manifest of ten thousand files takes a while, so small files are committed together at this interval.
COMMIT_INTERVAL_S = 2.0


@dataclass(frozen=True)
class AssetSummary:
    """The readings of one asset in the history. Instants are inclusive, ms since 1970 UTC."""

    asset: str
    readings: int
    start_ms: int
    end_ms: int
    sources: tuple[str, ...]


class History:
    """The readings of one site. Safe to read while an import commits."""

    def __init__(self, root: Path, *, run_rows: int = RUN_ROWS) -> None:
        self.root = root
        self._run_rows = run_rows

    @property
    def _manifest(self) -> Path:
        return self.root / "manifest.json"

    # -- reading -----------------------------------------------------------------------------------

    def sources(self) -> Sources:
        """All imported items: source -> key -> item."""
        return read_manifest(self._manifest)

    def items(self, source: str) -> dict[str, Item]:
        """The imported items of a source, by key."""
        return read_manifest(self._manifest).get(source, {})

    def fingerprint(self) -> str:
        """SHA-256 of the committed state. Changes with any reading and, for overlapping exports, with their order."""
        sources = read_manifest(self._manifest)
        order = sorted(filter(None, (overlap.order for overlap in overlaps(sources))))
        parts = fingerprint(sources)
        return hashlib.sha256("\n".join([parts, *order]).encode()).hexdigest() if order else parts

    def look_into_overlaps(self) -> OverlapTotals:
        """Count how often exports disagree: see `overlaps.look`."""
        return self._retry(lambda: look(self.root, read_manifest(self._manifest)))

    def assets(self) -> tuple[str, ...]:
        """The assets with readings, sorted."""
        return tuple(summary.asset for summary in self.summary())

    def summary(self) -> list[AssetSummary]:
        """Each asset's readings, first and last instant, from the manifest only. Repeated readings count."""
        by_asset: dict[str, list[Any]] = {}
        for source, items in read_manifest(self._manifest).items():
            for item in items.values():
                for part in item.parts:
                    for asset, span in part.assets.items():
                        entry = by_asset.setdefault(asset, [0, span.start, span.end, set()])
                        entry[0] += span.rows
                        entry[1], entry[2] = min(entry[1], span.start), max(entry[2], span.end)
                        entry[3].add(source)
        return [
            AssetSummary(asset, rows, start, end, tuple(sorted(sources)))
            for asset, (rows, start, end, sources) in sorted(by_asset.items())
        ]

    def read(
        self,
        asset: str,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limits: Mapping[str, tuple[float | None, float | None]] | None = None,
    ) -> AssetReadings:
        """The readings of an asset with `start_ms <= ts < end_ms`; empty for an unknown asset.

        `limits`: sensor -> lowest and highest value, None for no limit. Values outside become bad before one reading is
        chosen for each instant, so a possible value wins over an impossible one, as in the stream.
        """
        return self._retry(lambda: self._read(read_manifest(self._manifest), asset, start_ms, end_ms, limits or {}))

    def _retry(self, reading: Callable[[], T]) -> T:
        """The result of `reading`, which is repeated when a file listed in the manifest is missing."""
        attempts = 3  # a file is only removed if two imports of its source began since the manifest was read
        for attempt in range(attempts):
            try:
                return reading()
            except FileNotFoundError as error:
                if attempt == attempts - 1:
                    raise EugenieError(
                        f"{error.filename or error} is missing from the history",
                        hint="restore it, or run `eugenie import --again` to read the sources again",
                    ) from error
        raise AssertionError("unreachable")

    def _read(
        self,
        sources: Sources,
        asset: str,
        start_ms: int | None,
        end_ms: int | None,
        limits: Mapping[str, tuple[float | None, float | None]],
    ) -> AssetReadings:
        names: dict[str, int] = {}
        columns = []
        age: list[int] = []
        age_of = ages(sources)
        for source, items in sources.items():
            for key, item in items.items():
                for part in item.parts:
                    span = part.assets.get(asset)
                    if span is None or (start_ms is not None and span.end < start_ms):
                        continue
                    if end_ms is not None and span.start >= end_ms:
                        continue
                    columns.append(read_part(self.root / part.file, asset, start_ms, end_ms, names))
                    age.append(age_of[source, key])
        if not columns:
            empty = np.zeros(0, np.int64)
            return AssetReadings(asset, (), empty.astype(np.int32), empty, empty.astype(np.float64))
        sensor, ts, value = (np.concatenate(column) for column in zip(*columns, strict=True))
        if limits and names:
            low, high = zip(*(limits.get(name, (None, None)) for name in names), strict=True)
            value = Limits(low, high).apply(sensor, value)
        several = len(set(age)) > 1
        merged = merge(sensor, ts, value, np.repeat(age, [len(column[1]) for column in columns]) if several else None)
        return AssetReadings(
            asset,
            tuple(names),
            merged.sensor,
            merged.ts,
            merged.value,
            _by_name(
                names, np.bincount(sensor, minlength=len(names)) - np.bincount(merged.sensor, minlength=len(names))
            ),
            _by_name(names, np.bincount(merged.sensor[merged.conflict], minlength=len(names))),
        )

    # -- writing -----------------------------------------------------------------------------------

    def commit(
        self, source: str, batches: Iterable[Batch], *, key: str = "", state: dict[str, Any] | None = None
    ) -> Item:
        """Replace the content of item `key` of `source` with `batches`, atomically."""
        with self.writer(source) as writer:
            return writer.replace(key, batches, lambda: state or {})

    @contextmanager
    def writer(self, source: str) -> Iterator[SourceWriter]:
        """Exclusive write access to one source. Completely replaced items are kept, even when the block fails.

        Raises EugenieError when another process is importing the source.
        """
        folder = self.root / "parts" / source
        folder.mkdir(parents=True, exist_ok=True)
        with only_one(self.root / "locks" / f"{source}.lock", f"an import of {source}"):
            self._remove_orphans(source, folder)
            writer = SourceWriter(self.root, source, self._run_rows)
            try:
                yield writer
            finally:
                writer.flush()

    def drop(self, source: str, keys: Iterable[str]) -> None:
        """Remove items of a source from the history. The next write to the source, or `vacuum`, removes their files."""
        with self.writer(source) as writer:
            for key in keys:
                writer.remove(key)

    def vacuum(self) -> None:
        """Remove the files of sources without items in the history, unless an import of the source is running."""
        parts = self.root / "parts"
        held = {name for name, items in self.sources().items() if items}
        for folder in sorted(parts.iterdir()) if parts.is_dir() else ():
            if folder.name in held or not folder.is_dir() or not any(folder.iterdir()):
                continue
            with suppress(EugenieError), only_one(self.root / "locks" / f"{folder.name}.lock", "an import"):
                self._remove_orphans(folder.name, folder)

    def _remove_orphans(self, source: str, folder: Path) -> None:
        all_items = self.sources().values()  # of all sources: an item may come from a source that was renamed
        committed = {part.file for items in all_items for item in items.values() for part in item.parts}
        for path in folder.iterdir():
            if str(Path("parts") / source / path.name) not in committed:
                path.unlink()


class SourceWriter:
    """Writes the items of one source. `flush` commits them to the history."""

    def __init__(self, root: Path, source: str, run_rows: int) -> None:
        self._root, self._source, self._run_rows = root, source, run_rows
        self._waiting: dict[tuple[str, str], Item | None] = {}
        self._flushed = time.monotonic()

    def replace(
        self,
        key: str,
        batches: Iterable[Batch],
        state: Callable[[], dict[str, Any]] | None = None,
        *,
        instead_of: Iterable[tuple[str, str]] = (),
    ) -> Item:
        """Write `batches` as the complete content of item `key`. `state` is called after the last batch.

        `instead_of`: items, as (source, key), that the same commit removes.
        """
        parts = []
        run = PartWriter(self._run_rows)
        for batch in batches:
            for piece in run.pieces(batch):
                if run.rows + len(piece.ts) > self._run_rows:
                    parts.append(self._write(run))
                    run = PartWriter(self._run_rows)
                run.add(piece)
        if run.rows:
            parts.append(self._write(run))
        return self.keep(key, Item(tuple(parts), state() if state else {}), instead_of=instead_of)

    def keep(self, key: str, item: Item, *, instead_of: Iterable[tuple[str, str]] = ()) -> Item:
        """Keep an item's parts, perhaps with another `state`. `instead_of`: as in `replace`."""
        self._waiting |= dict.fromkeys(instead_of)
        self._waiting[self._source, key] = item
        if time.monotonic() - self._flushed >= COMMIT_INTERVAL_S:
            self.flush()
        return item

    def remove(self, key: str) -> None:
        """Drop an item."""
        self._waiting[self._source, key] = None

    def flush(self) -> None:
        """Commit waiting items."""
        if self._waiting:
            update_manifest(self._root / "manifest.json", self._apply)
            self._waiting = {}
        self._flushed = time.monotonic()

    def _apply(self, sources: Sources) -> Sources:
        changed = {name: dict(items) for name, items in sources.items()}
        for (source, key), item in self._waiting.items():
            items = changed.setdefault(source, {})
            items.pop(key, None)
            if item is not None:
                items[key] = item
        return {name: items for name, items in changed.items() if items}

    def _write(self, run: PartWriter) -> PartFile:
        file = Path("parts") / self._source / f"{uuid.uuid4().hex}.parquet"
        return run.write(self._root, file)


def _by_name(names: Iterable[str], counts: NDArray[np.int64]) -> dict[str, int]:
    return dict(zip(names, counts.tolist(), strict=True))
