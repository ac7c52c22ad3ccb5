"""Files and folders that are there whole or not at all, even when the process or the machine stops meanwhile."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

STAGED = ".staged-"
"""How the names of folders begin that are not whole yet."""

_BLOCK = 2**20
"""Bytes that are read at a time: a file is not held in memory."""


def write_atomically(path: Path, content: str | bytes, mode: int = 0o600) -> None:
    """Replace `path` by `content` (text as UTF-8); its folder is made. `mode`: by default for its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, mode) as file:
        file.write(_encoded(content))


def create_atomically(path: Path, content: str | bytes, mode: int = 0o600) -> None:
    """Write a new file; its folder is made. Raises FileExistsError when there is one, which stays as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    with _staged(temporary, mode) as file:
        file.write(_encoded(content))
        _flush(file)
        os.link(temporary, path)  # unlike a rename this never replaces a file that came in between


def replace_file(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Replace `path` by what `write` writes; the rename is on disk, too. For one writer at a time: what a kill leaves
    is one temporary file, which the next writer replaces."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.unlink(missing_ok=True)
    with _staged(temporary) as file:
        write(file)
        _flush(file)
        temporary.replace(path)
    sync(path.parent)


@contextmanager
def replacing(path: Path, mode: int | None = None) -> Iterator[IO[bytes]]:
    """A file for the `with` block to write, which takes the place of `path` when the block ends without an error.

    Until then `path` is as it was. Any number of writers may do so at once: the last one wins. `mode`: who may read
    it; None: whom the process lets read its new files.
    """
    temporary = _beside(path)
    with _staged(temporary, mode) as file:
        yield file
        _flush(file)
        temporary.replace(path)


@contextmanager
def new_folder(path: Path, mode: int = 0o755) -> Iterator[Path]:
    """A folder for the `with` block to fill, which appears as `path` when the block ends without an error; else it is
    gone. A kill leaves it, under a name that begins with `STAGED`.

    Raises OSError when `path` exists by then and is not an empty folder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=STAGED, dir=path.parent))
    try:
        yield staged
        staged.chmod(mode)  # mkdtemp's is 0700
        sync_tree(staged)
        staged.rename(path)
        sync(path.parent)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


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


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file. Raises OSError when it cannot be read."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def _staged(temporary: Path, mode: int | None = None) -> Iterator[IO[bytes]]:
    """A temporary file that is gone after the block, unless it has been renamed: a full disk, an interrupt."""
    # with a mode of its own it is its owner's alone until it is whole
    handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666 if mode is None else 0o600)
    try:
        with os.fdopen(handle, "w+b") as file:
            if mode is not None:
                os.fchmod(handle, mode)
            yield file
    finally:
        temporary.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    """A name in the same folder, hidden, that nobody else writes to."""
    return path.with_name(f".{path.name}.{os.urandom(6).hex()}.tmp")


def _flush(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _encoded(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content
