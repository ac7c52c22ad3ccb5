"""The version directories of a model on disk, and the problems of those that cannot be served."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from eugenie_cli.tfserving.layout import SAVED_MODEL

_NOT_THERE = (FileNotFoundError, NotADirectoryError, PermissionError)


@dataclass(frozen=True)
class VersionDirectory:
    """A version directory. `identity` changes with any file in it; `problem`: why it cannot be served."""

    version: int
    directory: Path
    identity: tuple[tuple[str, int, int, int], ...]
    problem: str = ""


def scan(folder: Path) -> list[VersionDirectory]:
    """The versions of the model in `folder`, newest first, without hidden directories.

    Directories may appear and disappear meanwhile. Raises OSError if the disk cannot be read: that is not "none".
    """
    versions: dict[int, VersionDirectory] = {}
    for directory in sorted(directories(folder), key=lambda path: (len(path.name), path.name)):
        name = directory.name
        if name.isascii() and name.isdigit() and int(name) not in versions:  # 7 before 007
            versions[int(name)] = _version(folder, directory)
    return sorted(versions.values(), key=lambda version: -version.version)


def directories(parent: Path) -> list[Path]:
    """The directories in `parent` that are not hidden; none if it does not exist or must not be read."""
    try:
        with os.scandir(parent) as entries:
            return [parent / entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    except _NOT_THERE:
        return []


def _version(folder: Path, directory: Path) -> VersionDirectory:
    version, identity = int(directory.name), _identity(directory)
    problem = ""
    if str(version) != directory.name:
        problem = f"{directory.name!r} is not a version: write it without leading zeros, {version}"
    elif not directory.resolve().is_relative_to(folder.resolve()):
        problem = f"{directory} is a link that leads out of the model's folder, to {directory.resolve()}"
    elif SAVED_MODEL not in {name for name, _, _, _ in identity}:
        problem = f"{directory} has no {SAVED_MODEL}: it is incomplete, or not a SavedModel"
    return VersionDirectory(version, directory, identity, problem)


def _identity(directory: Path) -> tuple[tuple[str, int, int, int], ...]:
    """(name, inode, size, ns) of every file, so that an unfinished copy is examined again."""
    files = []
    for folder, _, names in os.walk(directory, onerror=_unless_gone):
        for path in (Path(folder, name) for name in names):
            with contextlib.suppress(*_NOT_THERE):
                status = path.stat()
                files.append((str(path.relative_to(directory)), status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(sorted(files))


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, _NOT_THERE):
        raise error
