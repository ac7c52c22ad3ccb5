"""Temporary folders of Flink's processes: one for each, taken away when its process is dead.

What a JVM that is killed leaves behind: uploaded jars, workers' archives, native libraries, blobs. So no two processes
share a folder, and the run file of each says which is its own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from eugenie_cli.engines.launcher import run_file
from eugenie_cli.engines.process import identify
from eugenie_cli.locks import free
from eugenie_cli.workspace import Workspace

DETAIL = "scratch"
"""Of a run file: the folder of its process."""


def make(workspace: Workspace, engine: str) -> Path:
    """A new folder for a process of `engine`, which only this user can enter; what its dead ones left is removed.

    The caller holds the lock of `up` and `down`.
    """
    running = identify(run_file(workspace, engine))
    kept = running.details.get(DETAIL) if running is not None else None
    for left in _root(workspace).glob(f"{engine}-*"):
        if str(left) != kept:
            shutil.rmtree(left, ignore_errors=True)
    folder = _root(workspace) / f"{engine}-{os.urandom(4).hex()}"
    folder.mkdir(mode=0o700, parents=True)
    return folder


def sweep_all(workspace: Workspace, engines: Iterable[str]) -> None:
    """Remove all that dead processes left, of an eugenie before, too, whose processes shared one folder.

    The caller holds the lock of `up` and `down`. While a process of such an eugenie lives, nothing is removed.
    """
    live = [running for name in engines if (running := identify(run_file(workspace, name))) is not None]
    if any(DETAIL not in running.details for running in live):
        return
    kept = {running.details[DETAIL] for running in live}
    for left in _root(workspace).glob("*"):
        if str(left) in kept:
            continue
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def sweep_if_free(workspace: Workspace, engines: Iterable[str], lock: Path) -> None:
    """`sweep_all`, unless an `up` or `down` is under way: that does it itself."""
    with free(lock) as mine:
        if mine:
            sweep_all(workspace, engines)


def _root(workspace: Workspace) -> Path:
    return workspace.flink.absolute() / "tmp"
