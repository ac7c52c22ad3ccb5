"""Removes files that no manifest lists: those that a killed process left, and those that a commit replaced."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.manifest import Sources, only_one

# A temporary file in the history's own folder that nobody has written to for so long belongs to a process that died.
ABANDONED_S = 3600


@dataclass(frozen=True)
class Vacuumed:
    """Removed files and their size in bytes. `busy`: sources that were left alone, because they are being written."""

    files: int
    size: int
    busy: tuple[str, ...] = ()


def vacuum(root: Path, sources: Callable[[], Sources], *, everything: bool) -> Vacuumed:
    """See `History.vacuum`. `sources` reads the manifest; it is called while a source's lock is held."""
    parts = root / "parts"
    held = set() if everything else {name for name, items in sources().items() if items}
    files = size = 0
    busy = []
    for folder in sorted(parts.iterdir()) if parts.is_dir() else ():
        if folder.name in held or not folder.is_dir() or not any(folder.iterdir()):
            continue
        try:
            with only_one(root / "locks" / f"{folder.name}.lock", "an import"):
                removed = remove_unlisted(root, folder.name, sources())
        except EugenieError:
            busy.append(folder.name)
            continue
        files, size = files + removed.files, size + removed.size
    if everything:
        abandoned = _remove([path for path in temporary_files(root) if _age_s(path) > ABANDONED_S])
        files, size = files + abandoned.files, size + abandoned.size
    return Vacuumed(files, size, tuple(busy))


def remove_unlisted(root: Path, source: str, sources: Sources) -> Vacuumed:
    """Remove the files in a source's folder that the manifest does not list. The caller holds the source's lock."""
    return _remove(unlisted(root, source, sources))


def unlisted(root: Path, source: str, sources: Sources) -> list[Path]:
    """The files in a source's folder that the manifest does not list."""
    all_items = sources.values()  # of all sources: an item may come from a source that was renamed
    committed = {part.file for items in all_items for item in items.values() for part in item.parts}
    folder, inside = root / "parts" / source, f"parts/{source}/"
    return [folder / name for name in sorted(path.name for path in folder.iterdir()) if inside + name not in committed]


def temporary_files(root: Path) -> list[Path]:
    """Temporary files beside the manifest. A living process may be writing them."""
    return sorted(root.glob(".*.tmp"))


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:  # its process has just renamed it
        return 0.0


def _remove(paths: list[Path]) -> Vacuumed:
    size = 0
    for path in paths:
        size += path.stat().st_size
        path.unlink()
    return Vacuumed(len(paths), size)
