"""Atomic writes: a file or folder is either complete or absent, even after a crash or a power failure."""

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
"""Prefix of the names of folders that are not yet complete."""

_BLOCK = 2**18
"""Bytes read at a time: no file is held in memory as a whole, and what is hashed is still in the processor's cache."""


def write_atomically(path: Path, content: str | bytes, mode: int = 0o600) -> None:
    """Replace `path` with `content` (text as UTF-8), creating its folder. By default only the owner may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, mode) as file:
        file.write(_encoded(content))


def create_atomically(path: Path, content: str | bytes, mode: int = 0o600) -> None:
    """Write a new file, creating its folder. Raises FileExistsError if the file exists; it is left unchanged."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary_name(path)
    with _staged(temporary, mode) as file:
        file.write(_encoded(content))
        _flush(file)
        os.link(temporary, path)  # unlike a rename, this never replaces a file created in the meantime


def replace_file(path: Path, write: Callable[[IO[bytes]], object], *, sync_name: bool = True) -> None:
    """Replace `path` with what `write` writes, and sync the rename to disk.

    For one writer at a time: a killed process leaves at most one temporary file, which the next writer replaces.
    `sync_name`: False if the caller syncs the folder before it relies on the file, once for many files.
    """
    temporary = path.with_name(path.name + ".tmp")
    temporary.unlink(missing_ok=True)
    with _staged(temporary) as file:
        write(file)
        _flush(file)
        temporary.replace(path)
    if sync_name:
        sync(path.parent)


@contextmanager
def replacing(path: Path, mode: int | None = None) -> Iterator[IO[bytes]]:
    """Yields a file that replaces `path` when the `with` block ends without an error.

    Until then `path` is unchanged. Several processes may write at the same time: the last one wins.
    `mode`: permissions of the new file; None: those that the process's umask gives.
    """
    temporary = _temporary_name(path)
    with _staged(temporary, mode) as file:
        yield file
        _flush(file)
        temporary.replace(path)


@contextmanager
def new_folder(path: Path, mode: int = 0o755) -> Iterator[Path]:
    """Yields a folder that is renamed to `path` when the `with` block ends without an error, and is deleted otherwise.

    A killed process leaves it under a name that begins with `STAGED`.
    Raises OSError if `path` exists at that moment and is not an empty folder.
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
    """Write a file's content, or the names in a folder, through to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """`sync` a folder and everything in it."""
    for path in (*folder.rglob("*"), folder):
        sync(path)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal. Raises OSError if it cannot be read."""
    with path.open("rb") as file:
        return sha256_of(file)


def sha256_of(file: IO[bytes]) -> str:
    """The SHA-256 of the rest of an open file, in hexadecimal."""
    digest, buffer = hashlib.sha256(), memoryview(bytearray(_BLOCK))
    while count := file.readinto(buffer):  # type: ignore[attr-defined]
        digest.update(buffer[:count])
    return digest.hexdigest()


@contextmanager
def _staged(temporary: Path, mode: int | None = None) -> Iterator[IO[bytes]]:
    """A temporary file, deleted after the block unless it was renamed: also on a full disk, or an interrupt."""
    # a file that gets its own mode is readable by its owner alone until it is complete
    handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666 if mode is None else 0o600)
    try:
        with os.fdopen(handle, "w+b") as file:
            if mode is not None:
                os.fchmod(handle, mode)
            yield file
    finally:
        temporary.unlink(missing_ok=True)


def _temporary_name(path: Path) -> Path:
    """A hidden name in the same folder that no other writer uses."""
    return path.with_name(f".{path.name}.{os.urandom(6).hex()}.tmp")


def _flush(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _encoded(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content
