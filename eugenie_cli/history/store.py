"""The history of a site: sorted Parquet parts under a manifest.

`<root>/manifest.json` is the commit point; `<root>/parts/<source>/*.parquet` are immutable and sorted by (asset,
sensor, ts). The next import of a source removes files that a killed import left or a commit replaced; until then a
reader with the older manifest still finds its files.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from eugenie_cli.errors import EugenieError
from eugenie_cli.files import sync
from eugenie_cli.history.batch import AssetReadings, Batch
from eugenie_cli.history.disk import written_to
from eugenie_cli.history.manifest import (
    Item,
    PartFile,
    Sources,
    fingerprint,
    only_one,
    read_manifest,
    update_manifest,
)
from eugenie_cli.history.overlaps import OverlapTotals, look, overlaps
from eugenie_cli.history.parquet import PartWriter, read_back
from eugenie_cli.history.reading import LimitsByName, read_asset
from eugenie_cli.history.snapshot import Snapshot
from eugenie_cli.history.vacuuming import Vacuumed, remove_unlisted, vacuum

T = TypeVar("T")

# Readings sorted in memory at a time (about 21 bytes each, twice that while sorting).
RUN_ROWS = 2_000_000
# A part with at most this many times the readings that are added to its item is written again with them.
JOINED = 2
# Writing a manifest of ten thousand files takes a while, so small files are committed together at this interval, or a
# longer one, so that commits take a small part of the time however many files there are.
COMMIT_INTERVAL_S, COMMITS_APART = 2.0, 20


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
        self._snapshot = Snapshot({})

    @property
    def _manifest(self) -> Path:
        return self.root / "manifest.json"

    # -- reading -----------------------------------------------------------------------------------

    def sources(self) -> Sources:
        """All imported items: source -> key -> item."""
        return read_manifest(self._manifest)

    def snapshot(self) -> Snapshot:
        """The committed state, with indices of it."""
        sources = read_manifest(self._manifest)
        if self._snapshot.sources is not sources:
            self._snapshot = Snapshot(sources)
        return self._snapshot

    def items(self, source: str) -> dict[str, Item]:
        """The imported items of a source, by key."""
        return read_manifest(self._manifest).get(source, {})

    def fingerprint(self) -> str:
        """SHA-256 of the committed state. Changes with any reading and, for overlapping exports, with their order."""
        snapshot = self.snapshot()
        order = sorted(filter(None, (overlap.order for overlap in overlaps(snapshot))))
        parts = fingerprint(snapshot.sources)
        return hashlib.sha256("\n".join([parts, *order]).encode()).hexdigest() if order else parts

    def look_into_overlaps(self) -> OverlapTotals:
        """Count how often exports disagree: see `overlaps.look`."""
        return self.retry(lambda: look(self.root, self.snapshot()))

    def assets(self) -> tuple[str, ...]:
        """The assets with readings, sorted."""
        return tuple(summary.asset for summary in self.summary())

    def summary(self) -> list[AssetSummary]:
        """Each asset's readings, first and last instant, from the manifest only. Repeated readings count."""
        by_asset: dict[str, list[Any]] = {}
        for placed in self.snapshot().placed:
            for asset, span in placed.part.assets.items():
                entry = by_asset.setdefault(asset, [0, span.start, span.end, set()])
                entry[0] += span.rows
                entry[1], entry[2] = min(entry[1], span.start), max(entry[2], span.end)
                entry[3].add(placed.source)
        return [
            AssetSummary(asset, rows, start, end, tuple(sorted(sources)))
            for asset, (rows, start, end, sources) in sorted(by_asset.items())
        ]

    def read(
        self,
        asset: str,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limits: LimitsByName | None = None,
    ) -> AssetReadings:
        """The readings of an asset with `start_ms <= ts < end_ms`; empty for an unknown asset.

        `limits`: sensor -> lowest and highest value, None for no limit. Values outside become bad before one reading is
        chosen for each instant, so a possible value wins over an impossible one, as in the stream.
        """
        return self.retry(lambda: read_asset(self.root, self.snapshot(), asset, start_ms, end_ms, limits or {}))

    def retry(self, reading: Callable[[], T]) -> T:
        """The result of `reading`, which is repeated when a file listed in the manifest is missing.

        Raises EugenieError if it stays missing.
        """
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
        with written_to(self.root):
            folder.mkdir(parents=True, exist_ok=True)
        with only_one(self.root / "locks" / f"{source}.lock", f"an import of {source}"):
            remove_unlisted(self.root, source, self.sources())
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

    def vacuum(self, *, everything: bool = False) -> Vacuumed:
        """Remove the files of sources without items in the history, or, with `everything`, all files that the manifest
        does not list. Leaves a source alone while an import of it is running.
        """
        return vacuum(self.root, self.sources, everything=everything)


class SourceWriter:
    """Writes the items of one source. `flush` commits them to the history."""

    def __init__(self, root: Path, source: str, run_rows: int) -> None:
        self._root, self._source, self._run_rows = root, source, run_rows
        self._waiting: dict[tuple[str, str], Item | None] = {}
        self._flushed, self._interval = time.monotonic(), COMMIT_INTERVAL_S
        self._written = False  # parts whose names may not be on disk yet

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
        parts = self._parts(batches, ())
        return self.keep(key, Item(tuple(parts), state() if state else {}), instead_of=instead_of)

    def extend(self, key: str, item: Item, batches: Iterable[Batch], state: Callable[[], dict[str, Any]]) -> Item:
        """Add `batches` to the content of `item`, whose key it is. `state` is called after the last batch.

        Small files of the item are written again with them, so their number grows with the logarithm of the additions.
        """
        return self.keep(key, Item(tuple(self._parts(batches, item.parts)), state()))

    def _parts(self, batches: Iterable[Batch], former: Sequence[PartFile]) -> list[PartFile]:
        """The parts with the readings of `former` ones and of `batches`."""
        parts = list(former)
        run = PartWriter(self._run_rows)
        for batch in batches:
            for piece in run.pieces(batch):
                if run.rows + len(piece.ts) > self._run_rows:
                    held = run.end_before(piece)
                    parts.append(self._write(run))
                    run = PartWriter(self._run_rows)
                    if held is not None:
                        run.add(held)
                run.add(piece)
        if run.rows:
            while parts and self._joins(parts[-1], run):
                run.add(read_back(self._root / parts.pop().file))
            parts.append(self._write(run))
        return parts

    def _joins(self, part: PartFile, run: PartWriter) -> bool:
        """Whether a part is small enough to be written again with a run, and is a file of its own."""
        small = part.rows <= JOINED * run.rows and part.rows + run.rows <= self._run_rows
        return small and part.item is None and (self._root / part.file).exists()

    def keep(self, key: str, item: Item, *, instead_of: Iterable[tuple[str, str]] = ()) -> Item:
        """Keep an item's parts, perhaps with another `state`. `instead_of`: as in `replace`."""
        self._waiting |= dict.fromkeys(instead_of)
        self._waiting[self._source, key] = item
        if time.monotonic() - self._flushed >= self._interval:
            self.flush()
        return item

    def remove(self, key: str) -> None:
        """Drop an item."""
        self._waiting[self._source, key] = None

    def flush(self) -> None:
        """Commit waiting items."""
        began = time.monotonic()
        if self._waiting:
            with written_to(self._root):
                if self._written:
                    sync(self._root / "parts" / self._source)
                update_manifest(self._root / "manifest.json", self._apply)
            self._waiting, self._written = {}, False
        self._flushed = time.monotonic()
        self._interval = max(COMMIT_INTERVAL_S, COMMITS_APART * (self._flushed - began))

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
        self._written = True
        with written_to(self._root):
            return run.write(self._root, file)
