"""Writes rendered documents into a folder: each file completely or not at all, never overwriting other people's files.

The folder also holds a record, `.rendered-<target>.sha256`, in the format of `sha256sum --check`: a file whose digest
differs was created or changed by someone else. Files that the record does not name, and files behind a symbolic link,
are never touched.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from eugenie_cli.deploy.request import Document
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.files import write_atomically
from eugenie_cli.locks import exclusive

LOCK = ".rendered.lock"

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class WrittenFile:
    """A file in the folder. `state`: written, unchanged, or removed (only an earlier rendering wrote it)."""

    path: str
    state: str


def write(folder: Path, target: str, documents: Sequence[Document], force: bool = False) -> tuple[WrittenFile, ...]:
    """Writes each document by one rename, and removes files that only an earlier rendering wrote.

    Before anything is written, raises EugenieError (REFUSED) if a file exists that this command did not write or that
    was changed since, unless `force`; and always if a link or a file is where a folder is needed.
    """
    contents = {document.name: document.content for document in documents}
    return write_files(folder, target, contents, force)


def write_files(folder: Path, target: str, files: Mapping[str, bytes], force: bool = False) -> tuple[WrittenFile, ...]:
    """`write` for arbitrary files: path below the folder -> content."""
    with explained(f"cannot write to {folder}", "choose another folder"):
        folder.mkdir(parents=True, exist_ok=True)
        with exclusive(folder / LOCK):
            return _write(folder, target, files, force)


@contextmanager
def explained(what: str, instead: str) -> Iterator[None]:
    """Turns an OSError of the block into an EugenieError. `what`: what cannot be done, with the folder; `instead`: what
    to do, unless space is all that it needs."""
    try:
        yield
    except OSError as error:
        space = "free space there, raise the limit on the size of files (ulimit -f), or " * (error.errno in _FULL)
        raise EugenieError(f"{what}: {error.strerror or error}", f"{space}{instead}") from error


def _write(folder: Path, target: str, files: Mapping[str, bytes], force: bool) -> tuple[WrittenFile, ...]:
    record = folder / f".rendered-{target}.sha256"
    before = _read(record)
    _check_ways(folder, files)
    foreign = [name for name, content in files.items() if _is_foreign(folder / name, before.get(name, ()), content)]
    if foreign and not force:
        raise EugenieError(
            f"{', '.join(str(folder / name) for name in foreign)}: not written by this command, or changed since",
            "move it elsewhere, choose another folder, or overwrite it with --force",
            ExitCode.REFUSED,
        )
    for name in files:
        if (folder / name).is_dir() and not (folder / name).is_symlink():
            raise IsADirectoryError(errno.EISDIR, f"{name} is a folder")
    digests = {name: (_digest(content),) for name, content in files.items()}
    written = []
    # until all files are written, old and new digests both count as ours, so that a killed command can be repeated
    _replace(record, _lines({name: (*before.get(name, ()), *digests.get(name, ())) for name in {**before, **digests}}))
    for name, content in files.items():
        path = folder / name
        same = path.is_file() and not path.is_symlink() and path.read_bytes() == content
        if not same:
            _replace(path, content)
        written.append(WrittenFile(str(path), "unchanged" if same else "written"))
    for name in sorted(before.keys() - files.keys()):
        path = folder / name
        if _obstacle(folder, name) is None and path.is_file() and _digest(path.read_bytes()) in before[name]:
            path.unlink()
            written.append(WrittenFile(str(path), "removed"))
    _replace(record, _lines(digests))
    return tuple(written)


def _check_ways(folder: Path, names: Mapping[str, bytes]) -> None:
    """Raises EugenieError for a path through a symbolic link or a file, even with `force`."""
    for name in names:
        obstacle = _obstacle(folder, name)
        if obstacle is not None:
            kind = "a symbolic link" if obstacle.is_symlink() else "not a folder"
            raise EugenieError(
                f"{obstacle} is {kind}, so {name} cannot be written there",
                "move it elsewhere, or choose another folder",
                ExitCode.REFUSED,
            )


def _obstacle(folder: Path, name: str) -> Path | None:
    """The first link or file between `folder` and the file where a folder is needed."""
    for parent in reversed(PurePosixPath(name).parents[:-1]):
        path = folder / parent
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            return path
    return None


def _is_foreign(path: Path, digests: Sequence[str], content: bytes) -> bool:
    if not os.path.lexists(path):
        return False
    if path.is_symlink() or not path.is_file():
        return True
    existing = path.read_bytes()
    return existing != content and _digest(existing) not in digests


def _read(record: Path) -> dict[str, tuple[str, ...]]:
    """name -> digests of the files written last, without names that lead out of the folder."""
    digests: dict[str, tuple[str, ...]] = {}
    if record.is_symlink() or not record.is_file():
        return digests
    for line in record.read_text(encoding="utf-8", errors="replace").splitlines():
        digest, _, name = line.partition("  ")
        path = PurePosixPath(name)
        if name and not path.is_absolute() and ".." not in path.parts:
            digests[name] = (*digests.get(name, ()), digest)
    return digests


def _lines(digests: Mapping[str, Sequence[str]]) -> bytes:
    return "".join(f"{digest}  {name}\n" for name, own in sorted(digests.items()) for digest in own).encode()


def _replace(path: Path, content: bytes) -> None:
    # readable by others, such as a container's user or a cluster's operator; it contains no secrets
    write_atomically(path, content, mode=0o644)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
