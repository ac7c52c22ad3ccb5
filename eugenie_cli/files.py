"""Files that are there whole or not at all, even when the process or the machine stops meanwhile."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO


def write_atomically(path: Path, content: str | bytes, mode: int = 0o600) -> None:
    """Replace `path` by `content`: temporary file, fsync, rename. `mode`: who may read it, by default its owner alone.

    Text becomes UTF-8.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "wb", dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False
    ) as stream:
        staged = Path(stream.name)
        try:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
            staged.chmod(mode)
            staged.replace(path)
        except BaseException:  # a full disk, an interrupt: nothing is left beside the file
            staged.unlink(missing_ok=True)
            raise


def replace_file(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Replace `path` by what `write` writes; the rename is on disk, too. For one writer at a time."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """A file's content is on disk when this returns; of a folder, the names in it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """`sync` of all that is in a folder, and of itself."""
    for path in (*folder.rglob("*"), folder):
        sync(path)
