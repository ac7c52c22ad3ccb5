"""The manifest: the single file that determines which parts make up the history. Other files do not count.

A commit replaces it (temporary file, fsync, rename) under a lock. So a reader sees the state before or after the
commit, and a killed process leaves at most files that no manifest lists.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from eugenie_cli.errors import EugenieError
from eugenie_cli.files import replace_file
from eugenie_cli.locks import exclusive, refusing

SCHEMA = "eugenie.history.v1"
# Of a manifest with merged files: versions that do not know them must refuse it, not read items that were dropped.
MERGED_SCHEMA = "eugenie.history.v2"
# A file that was replaced this recently may be replaced again within one tick of the file system's clock.
SETTLED_NS = 50_000_000


class Span(NamedTuple):
    """An asset's readings in a part: their number, and the first and last instant in ms since 1970 UTC."""

    rows: int
    start: int
    end: int


@dataclass(frozen=True)
class PartFile:
    """A part: the path inside the history of the Parquet file with its readings, and a span per asset.

    `sha256`: of the file as it was imported. `repeated`: readings that share asset, sensor and instant with another;
    `conflicts`: instants with several values. `item`: the part's number in a merged file, which contains several parts;
    None: the file contains only this part.
    """

    file: str
    sha256: str
    rows: int
    bad: int
    assets: dict[str, Span]
    repeated: int = 0
    conflicts: int = 0
    item: int | None = None


_WRITTEN = {field.name for field in fields(PartFile)} - {"item"}
"""What a manifest contains of a part that is a file of its own."""


@dataclass(frozen=True)
class Item:
    """One imported item, such as a file, and its parts. The importer recognizes the item by `state`."""

    parts: tuple[PartFile, ...]
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)

    @property
    def bad(self) -> int:
        return sum(part.bad for part in self.parts)

    @property
    def exported(self) -> int:
        """The modification time when its content was first seen, ns since 1970 UTC; 0 if unknown."""
        known = self.state.get("exported") or self.state.get("item", {}).get("mtime_ns")
        return int(known or 0)


Sources = dict[str, dict[str, Item]]
"""source -> item key -> item"""


def read_manifest(path: Path) -> Sources:
    """The committed state, which callers do not change; empty before the first commit.

    Raises EugenieError for a damaged file.
    """
    global _last_read
    try:
        with path.open("rb") as file:
            version = _version(file.fileno())
            known = _last_read
            if known is not None and known[:2] == (path, version):
                return known[2]
            text = file.read()
    except FileNotFoundError:
        return {}
    try:
        document = json.loads(text)
        if document["schema"] not in (SCHEMA, MERGED_SCHEMA):
            raise EugenieError(
                f"{path}: schema {document['schema']!r} is not {SCHEMA!r} or {MERGED_SCHEMA!r}",
                hint="another version of eugenie wrote it: use that version, or import into a new workspace",
            )
        sources = {
            source: {key: _item(entry) for key, entry in items.items()} for source, items in document["sources"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EugenieError(
            f"{path} is damaged: {error!r}",
            hint="restore it from a backup, or delete the history and import again",
        ) from error
    _last_read = (path, version, sources) if time.time_ns() - version[1] > SETTLED_NS else None
    return sources


_last_read: tuple[Path, tuple[int, ...], Sources] | None = None
"""The last manifest read. One command asks for it several times; of 5,000 files it takes a quarter of a second."""


def _version(handle: int) -> tuple[int, ...]:
    status = os.fstat(handle)
    return status.st_ino, status.st_mtime_ns, status.st_size, status.st_dev


def _item(entry: dict[str, Any]) -> Item:
    item = object.__new__(Item)  # as its constructor; those of items and parts take half of the time of reading
    vars(item).update(parts=tuple(map(_part, entry["parts"])), state=entry["state"])
    return item


def _part(entry: dict[str, Any]) -> PartFile:
    entry["assets"] = {asset: Span(*span) for asset, span in entry["assets"].items()}
    if entry.keys() != _WRITTEN:
        return PartFile(**entry)
    part = object.__new__(PartFile)
    vars(part).update(entry, item=None)
    return part


def _encode(item: Item) -> dict[str, Any]:
    return {"parts": [_encode_part(part) for part in item.parts], "state": item.state}


def _encode_part(part: PartFile) -> dict[str, Any]:
    entry = dict(vars(part))  # spans are tuples, which JSON writes as lists
    if part.item is None:
        del entry["item"]
    return entry


def update_manifest(path: Path, change: Callable[[Sources], Sources]) -> Sources:
    """Commit: replace the manifest with the result of `change` on its current state. Other writers wait."""
    with exclusive(path.with_suffix(".lock")):
        sources = change(read_manifest(path))
        parts = (part for items in sources.values() for item in items.values() for part in item.parts)
        schema = MERGED_SCHEMA if any(part.item is not None for part in parts) else SCHEMA
        encoded = {name: {key: _encode(item) for key, item in items.items()} for name, items in sources.items()}
        text = json.dumps({"schema": schema, "sources": encoded}, separators=(",", ":"), sort_keys=True)
        replace_file(path, lambda file: file.write(text.encode()))
        _remember_written(path, sources)
        return sources


def _remember_written(path: Path, sources: Sources) -> None:
    """Take a manifest that was just written for the last one read. The caller holds its lock.

    The file is kept open, so that no later one gets its number: otherwise one that is written in the same tick of the
    file system's clock might look the same.
    """
    global _last_read, _kept_open
    if _kept_open is not None:
        os.close(_kept_open)
    _last_read = _kept_open = None
    with suppress(OSError):  # it is committed, and can be read again
        _kept_open = os.open(path, os.O_RDONLY)
        _last_read = (path, _version(_kept_open), sources)


_kept_open: int | None = None
"""The last manifest written."""


@contextmanager
def only_one(lock_file: Path, what: str) -> Iterator[None]:
    """Hold a lock for the `with` block. Raises EugenieError at once when another process holds it."""
    with refusing(lock_file, f"{what} is already running", "wait until it ends, then run this command again"):
        yield


def fingerprint(sources: Sources) -> str:
    """SHA-256 over the committed parts: equal if the same readings were imported in the same way."""
    digests = sorted(part.sha256 for items in sources.values() for item in items.values() for part in item.parts)
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()
