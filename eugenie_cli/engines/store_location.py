"""Where a local tracking store is.

Its database holds absolute addresses of artifacts, which a copied or moved workspace would go on reading and writing at
the old place. `settle` rewrites them for the place where the store is now.

The place is recorded next to the database. A store that an earlier release created has no such record: there the
addresses themselves tell, because eugenie gave the site's experiment the folder `artifacts` of the store.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from eugenie_cli.files import write_atomically

RECORD = "location"
"""File next to the database: the URI of the workspace's folder when the store was opened last."""

_ARTIFACTS = "mlflow/artifacts"
"""The folder of a store's artifacts, in the workspace."""

_ADDRESSES = ("artifact_location", "artifact_uri", "source", "storage_location", "default_artifact_root")
"""Columns of MLflow's tables with an address, of experiments, runs, versions and logged models."""

_QUOTED = ("dataset_source",)
"""Columns with JSON that contains an address."""

_WAIT_S = 30.0
"""A server that writes to the same database holds it for milliseconds."""


def settle(database: Path) -> bool:
    """Makes the store in `database` (`WORKSPACE/mlflow/mlflow.db`) read and write the artifacts next to it; True if it
    was elsewhere before. The caller holds the store's lock.

    Addresses outside of the workspace are left unchanged. Raises sqlite3.Error for a file that is not a database.
    """
    workspace = database.absolute().parents[1]
    here, record = workspace.as_uri(), database.with_name(RECORD)
    recorded = record.read_text(encoding="utf-8").strip() if record.exists() else None
    if recorded == here or (recorded is not None and _is_same_folder(recorded, workspace)):
        return False
    moved = False
    if database.exists():
        with closing(sqlite3.connect(database, timeout=_WAIT_S)) as connection, connection:
            for old in [recorded] if recorded is not None else list(_earlier(connection, workspace)):
                moved |= _rewrite(connection, old, here)
    write_atomically(record, here + "\n", mode=0o644)
    return moved


def _earlier(connection: sqlite3.Connection, workspace: Path) -> Iterator[str]:
    """The URIs of the folders in which the workspace of an unrecorded store has been."""
    if "experiments" not in _tables(connection):
        return
    for (location,) in connection.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall():
        old, ending, rest = str(location).rpartition(f"/{_ARTIFACTS}")
        if not ending or rest or not old.startswith("file://") or _is_same_folder(old, workspace):
            continue
        runs = connection.execute(
            "SELECT artifact_uri FROM runs JOIN experiments USING (experiment_id) WHERE artifact_location = ?",
            (location,),
        ).fetchall()
        copied = [workspace / _path(uri.removeprefix(f"{old}/")) for (uri,) in runs]
        if not runs or any(folder.exists() for folder in copied):
            yield old


def _rewrite(connection: sqlite3.Connection, old: str, new: str) -> bool:
    """Replaces the address of a folder at the beginning of all addresses. True if there was any."""
    changed = 0
    for table in _tables(connection):
        for column in _columns(connection, table):
            if column in _ADDRESSES:
                changed += connection.execute(
                    f'UPDATE "{table}" SET "{column}" = ? || substr("{column}", ?) '  # noqa: S608 - the database's own names
                    f'WHERE "{column}" = ? OR substr("{column}", 1, ?) = ?',
                    (new, len(old) + 1, old, len(old) + 1, f"{old}/"),
                ).rowcount
            elif column in _QUOTED:
                connection.execute(
                    f'UPDATE "{table}" SET "{column}" = replace("{column}", ?, ?)',  # noqa: S608
                    (f'"{old}/', f'"{new}/'),
                )
    return changed > 0


def _tables(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()]


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [str(column[1]) for column in connection.execute(f'PRAGMA table_info("{table}")').fetchall()]


def _is_same_folder(uri: str, folder: Path) -> bool:
    """Whether an address leads to the folder, perhaps by a link."""
    path = _path(uri)
    return path.exists() and folder.exists() and path.samefile(folder)


def _path(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path if "://" in uri else uri))
