"""Finds the files of a source, and tells whether they can be read."""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from eugenie_cli.errors import EugenieError
from eugenie_cli.printable import printable
from eugenie_cli.sources.files.archives import inside
from eugenie_cli.sources.files.compression import SUFFIXES

_SUFFIXES = (
    *(".csv", *SUFFIXES, ".txt", ".tsv", ".dat", ".log", ".zip"),
    *(".json", ".jsonl", ".ndjson", ".parquet", ".feather", ".arrow", ".xlsx", ".xls", ".xlsm", ".xlsb", ".ods"),
)
"""Of files: a folder with such a name is an error, not a folder that a pattern happened to match."""


def matching(pattern: Path) -> list[str]:
    """The paths that a pattern matches, sorted: files, and what ought to be one (a broken link, a pipe, a folder
    `x.csv`). As text: thousands of `Path` objects take longer than anything else about them.

    Raises EugenieError if a folder cannot be listed, or the pattern is invalid.
    """
    parts = pattern.parts
    fixed = next((index for index, part in enumerate(parts) if any(sign in part for sign in "*?[")), len(parts) - 1)
    folder = Path(*parts[:fixed])
    try:
        if not folder.is_dir():
            return []
        with os.scandir(folder) as entries:  # glob ignores folders that it may not list
            if fixed == len(parts) - 1 and not any(sign in parts[-1] for sign in "*?["):
                return [str(pattern)] if os.path.lexists(pattern) else []
            if fixed == len(parts) - 1 and "**" not in parts[-1]:
                below = str(folder / "x")[:-1]
                names = sorted(fnmatch.filter((entry.name for entry in entries), parts[-1]))
                return list(_files([f"{below}{name}" for name in names], parts[-1]))
        matches = sorted(folder.glob(str(Path(*parts[fixed:]))), key=lambda path: path.parts)  # the order of paths
    except OSError as error:
        raise EugenieError(
            f"{printable(str(error.filename or folder))} cannot be listed: {error.strerror}",
            hint="let the user that runs eugenie read the folder, and check the disk or the network share",
        ) from error
    except ValueError as error:
        raise EugenieError(
            f"{printable(str(pattern))} is not a valid pattern: {error}",
            hint="correct the source's `path`: ** must stand alone between slashes, as in exports/**/*.csv",
        ) from error
    return list(_files(map(str, matches), parts[-1]))


def _files(paths: Iterable[str], pattern: str) -> Iterator[str]:
    """Those of the paths that are or ought to be files. `pattern`: of their names."""
    named = pattern not in ("*", "**")  # `exports/*` may match folders that are not exports
    for path in paths:
        stem, dot, suffix = path[path.rfind("/") + 1 :].rpartition(".")
        has_suffix = bool(stem and suffix)
        if (has_suffix and (named or (dot + suffix).lower() in _SUFFIXES)) or not _is_folder(path):
            yield path


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)  # noqa: PTH116 - thousands of paths, as text
    except OSError:
        return False  # reading it raises the error


def status_of(path: Path | str) -> os.stat_result:
    """The status of a file or its archive. Raises EugenieError if it is not a regular file or cannot be accessed."""
    found = inside(path)
    path = path if found is None else found[0]
    try:
        status = os.stat(path)  # noqa: PTH116 - thousands of paths, as text
    except OSError as error:
        raise _inaccessible(Path(path), error) from error
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe, socket or device"
        what = f"{printable(str(path))} is {kind}, not a file"
        raise EugenieError(what, hint="narrow the source's `path` to the files")
    return status


def _inaccessible(path: Path, error: OSError) -> EugenieError:
    name = printable(str(path))
    if not isinstance(error, FileNotFoundError):
        return EugenieError(f"{name} cannot be read: {error.strerror}", hint=permission_hint(error))
    if path.is_symlink():
        what = f"{name} is a link to {printable(str(path.readlink()))}, which does not exist"
        return EugenieError(what, hint="remove the link, or bring the file back")
    return EugenieError(f"{name} is gone", hint="import again when the exports are complete")


def permission_hint(error: OSError) -> str:
    """What to do about a file that cannot be read."""
    if isinstance(error, PermissionError):
        return "let the user that runs eugenie read the file"
    return "check the disk or the network share, then import again"


def state_of(path: Path | str) -> dict[str, Any]:
    """Changes whenever the file may have changed. Empty if it cannot be accessed: reading it raises the error."""
    try:
        status = status_of(path)
    except EugenieError:
        return {}
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
