"""Rendered documents into a folder, whole or not at all, and never over what somebody else wrote.

Beside them lies `.rendered-<target>.sha256`, which `sha256sum --check` reads: a file whose content is not what it says
was made or changed by somebody else. What the record does not name is never touched, nor what is reached by a link.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from eugenie_cli.deploy.request import Document
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.files import write_atomically
from eugenie_cli.locks import alone

LOCK = ".rendered.lock"


@dataclass(frozen=True)
class WrittenFile:
    """A file of the folder. `state`: written, unchanged, or removed (an earlier rendering had it)."""

    path: str
    state: str


def write(folder: Path, target: str, documents: Sequence[Document], force: bool = False) -> tuple[WrittenFile, ...]:
    """Write the documents, each by one rename, and remove what an earlier rendering wrote and this one has not.

    Raises EugenieError (REFUSED) before anything is written when a file is there that this command did not write, or
    that was changed since, unless `force`; and always when a link or a file stands where a folder is needed.
    """
    contents = {one.name: one.content for one in documents}
    return write_files(folder, target, contents, force)


def write_files(folder: Path, target: str, wanted: Mapping[str, bytes], force: bool = False) -> tuple[WrittenFile, ...]:
    """`write`, of any files: path below the folder -> content."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder / LOCK):
            return _write(folder, target, wanted, force)
    except OSError as error:
        raise EugenieError(f"cannot write to {folder}: {error.strerror or error}", "choose another folder") from error


def _write(folder: Path, target: str, wanted: Mapping[str, bytes], force: bool) -> tuple[WrittenFile, ...]:
    record = folder / f".rendered-{target}.sha256"
    before = _read(record)
    _check_ways(folder, wanted)
    foreign = [name for name, content in wanted.items() if _is_foreign(folder / name, before.get(name, ()), content)]
    if foreign and not force:
        raise EugenieError(
            f"{', '.join(str(folder / name) for name in foreign)}: not written by this command, or changed since",
            "move it away, choose another folder, or overwrite it with --force",
            ExitCode.REFUSED,
        )
    for name in wanted:
        if (folder / name).is_dir() and not (folder / name).is_symlink():
            raise IsADirectoryError(errno.EISDIR, f"{name} is a folder there")
    digests = {name: (_digest(content),) for name, content in wanted.items()}
    written = []
    # both the old and the new are ours until all are written: a command that is killed meanwhile can be repeated
    _replace(record, _lines({name: (*before.get(name, ()), *digests.get(name, ())) for name in {**before, **digests}}))
    for name, content in wanted.items():
        path = folder / name
        same = path.is_file() and not path.is_symlink() and path.read_bytes() == content
        if not same:
            _replace(path, content)
        written.append(WrittenFile(str(path), "unchanged" if same else "written"))
    for name in sorted(before.keys() - wanted.keys()):
        path = folder / name
        if _link_on_the_way(folder, name) is None and path.is_file() and _digest(path.read_bytes()) in before[name]:
            path.unlink()
            written.append(WrittenFile(str(path), "removed"))
    _replace(record, _lines(digests))
    return tuple(written)


def _check_ways(folder: Path, names: Mapping[str, bytes]) -> None:
    """No consent makes it right to write through a link to elsewhere."""
    for name in names:
        way = _link_on_the_way(folder, name)
        if way is not None:
            what = "a link to elsewhere" if way.is_symlink() else "no folder"
            raise EugenieError(
                f"{way} is {what}, and {name} is to be written in it",
                "move it away, or choose another folder",
                ExitCode.REFUSED,
            )


def _link_on_the_way(folder: Path, name: str) -> Path | None:
    """What stands where a folder between `folder` and the file is to be."""
    for parent in reversed(PurePosixPath(name).parents[:-1]):
        way = folder / parent
        if way.is_symlink() or (way.exists() and not way.is_dir()):
            return way
    return None


def _is_foreign(path: Path, digests: Sequence[str], content: bytes) -> bool:
    if not os.path.lexists(path):
        return False
    if path.is_symlink() or not path.is_file():
        return True
    found = path.read_bytes()
    return found != content and _digest(found) not in digests


def _read(record: Path) -> dict[str, tuple[str, ...]]:
    """name -> digests of what was written last; none of names that lead out of the folder."""
    found: dict[str, tuple[str, ...]] = {}
    if record.is_symlink() or not record.is_file():
        return found
    for line in record.read_text(encoding="utf-8", errors="replace").splitlines():
        digest, _, name = line.partition("  ")
        way = PurePosixPath(name)
        if name and not way.is_absolute() and ".." not in way.parts:
            found[name] = (*found.get(name, ()), digest)
    return found


def _lines(digests: Mapping[str, Sequence[str]]) -> bytes:
    return "".join(f"{digest}  {name}\n" for name, each in sorted(digests.items()) for digest in each).encode()


def _replace(path: Path, content: bytes) -> None:
    # others read it: a container's user, a cluster's operator. Nothing in it is secret.
    write_atomically(path, content, mode=0o644)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
