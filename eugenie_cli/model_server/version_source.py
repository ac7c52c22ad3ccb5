"""What lies on disk: the version directories of a model, and what is wrong with those that cannot be served."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from eugenie_cli.tfserving.layout import SAVED_MODEL

_NOT_THERE = (FileNotFoundError, NotADirectoryError, PermissionError)


@dataclass(frozen=True)
class Found:
    """A version directory. `identity` changes when anything in it is written anew; `problem`: why it cannot serve."""

    version: int
    directory: Path
    identity: tuple[tuple[str, int, int, int], ...]
    problem: str = ""


def scan(folder: Path) -> list[Found]:
    """The versions of the model in `folder`, newest first, without hidden directories.

    Directories may come and go meanwhile. Raises OSError when the disk cannot say what there is: that is not "nothing".
    """
    found: dict[int, Found] = {}
    for directory in sorted(directories(folder), key=lambda each: (len(each.name), each.name)):
        name = directory.name
        if name.isascii() and name.isdigit() and int(name) not in found:  # 7 before 007
            found[int(name)] = _version(folder, directory)
    return sorted(found.values(), key=lambda each: -each.version)


def directories(parent: Path) -> list[Path]:
    """The directories in `parent` that are not hidden; none where it is gone or not ours to read."""
    try:
        with os.scandir(parent) as entries:
            return [parent / each.name for each in entries if not each.name.startswith(".") and each.is_dir()]
    except _NOT_THERE:
        return []


def _version(folder: Path, directory: Path) -> Found:
    version, identity = int(directory.name), _identity(directory)
    problem = ""
    if str(version) != directory.name:
        problem = f"{directory.name!r} is no version: write it without leading zeros, {version}"
    elif not directory.resolve().is_relative_to(folder.resolve()):
        problem = f"{directory} is a link that leads out of the model's folder, to {directory.resolve()}"
    elif SAVED_MODEL not in {name for name, _, _, _ in identity}:
        problem = f"{directory} has no {SAVED_MODEL}: it is half written, or no SavedModel"
    return Found(version, directory, identity, problem)


def _identity(directory: Path) -> tuple[tuple[str, int, int, int], ...]:
    """(name, inode, size, ns) of every file, so that a copy that is still being made is looked at again."""
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
