"""Rendered documents into a folder, whole or not at all, and never over what somebody else wrote.

Beside them lies `.rendered-<target>.sha256`, which `sha256sum --check` reads: a file whose content is not what it says
was made or changed by somebody else.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.files import write_atomically
from eugenie_cli.locks import alone
from eugenie_cli.serving.manifests.request import Document

LOCK = ".rendered.lock"


@dataclass(frozen=True)
class WrittenFile:
    """A file of the folder. `state`: written, unchanged, or removed (an earlier rendering had it)."""

    path: str
    state: str


def write(folder: Path, target: str, documents: Sequence[Document], force: bool = False) -> tuple[WrittenFile, ...]:
    """Write the documents, each by one rename, and remove what an earlier rendering wrote and this one has not.

    Raises EugenieError (REFUSED) before anything is written when a file is there that this command did not write, or
    that was changed since, unless `force`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder / LOCK):
            return _write(folder, target, documents, force)
    except OSError as error:
        raise EugenieError(
            f"cannot write to {folder}: {error.strerror or error}", "choose another --output-dir"
        ) from error


def _write(folder: Path, target: str, documents: Sequence[Document], force: bool) -> tuple[WrittenFile, ...]:
    record = folder / f".rendered-{target}.sha256"
    before = _read(record)
    wanted = {one.name: one.text.encode() for one in documents}
    foreign = [name for name, content in wanted.items() if _is_foreign(folder / name, before.get(name), content)]
    if foreign and not force:
        raise EugenieError(
            f"{', '.join(str(folder / name) for name in foreign)}: not written by this command, or changed since",
            "move it away, choose another --output-dir, or overwrite it with --force",
            ExitCode.REFUSED,
        )
    written = []
    for name, content in wanted.items():
        path = folder / name
        same = path.is_file() and path.read_bytes() == content
        if not same:
            _replace(path, content)
        written.append(WrittenFile(str(path), "unchanged" if same else "written"))
    for name in sorted(before.keys() - wanted.keys()):
        path = folder / name
        if path.is_file() and _digest(path.read_bytes()) == before[name]:
            path.unlink()
            written.append(WrittenFile(str(path), "removed"))
    lines = [f"{_digest(content)}  {name}\n" for name, content in sorted(wanted.items())]
    _replace(record, "".join(lines).encode())
    return tuple(written)


def _is_foreign(path: Path, digest: str | None, content: bytes) -> bool:
    if not os.path.lexists(path):
        return False
    if not path.is_file():
        return True
    found = path.read_bytes()
    return found != content and _digest(found) != digest


def _read(record: Path) -> dict[str, str]:
    """name -> digest of what was written last."""
    if not record.is_file():
        return {}
    pairs = (line.split("  ", 1) for line in record.read_text(encoding="utf-8").splitlines() if "  " in line)
    return {name: digest for digest, name in pairs}


def _replace(path: Path, content: bytes) -> None:
    # others read it: a container's user, a cluster's operator. Nothing in it is secret.
    write_atomically(path, content.decode(), mode=0o644)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
