"""Temporary folders of Flink's processes: one for each process, removed when the process is dead.

A killed JVM leaves uploaded jars, workers' archives, native libraries and blobs. So no two processes share a folder,
and each run file names the folder of its process.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from eugenie_cli.engines.launcher import run_file
from eugenie_cli.engines.process import identify
from eugenie_cli.locks import try_lock
from eugenie_cli.workspace import Workspace

DETAIL = "scratch"
"""Key of a run file's details: the folder of its process."""


def make(workspace: Workspace, engine: str) -> Path:
    """Creates a folder for a process of `engine`, private to this user, and removes those of its dead processes.

    The caller holds the lock of `up` and `down`.
    """
    running = identify(run_file(workspace, engine))
    kept = running.details.get(DETAIL) if running is not None else None
    for leftover in _root(workspace).glob(f"{engine}-*"):
        if str(leftover) != kept:
            shutil.rmtree(leftover, ignore_errors=True)
    folder = _root(workspace) / f"{engine}-{os.urandom(4).hex()}"
    folder.mkdir(mode=0o700, parents=True)
    return folder


def sweep_all(workspace: Workspace, engines: Iterable[str]) -> None:
    """Removes everything that dead processes left, including those of earlier releases, which shared one folder.

    The caller holds the lock of `up` and `down`. While a process of such a release lives, nothing is removed.
    """
    live = [running for name in engines if (running := identify(run_file(workspace, name))) is not None]
    if any(DETAIL not in running.details for running in live):
        return
    kept = {running.details[DETAIL] for running in live}
    for leftover in _root(workspace).glob("*"):
        if str(leftover) in kept:
            continue
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def sweep_if_free(workspace: Workspace, engines: Iterable[str], lock: Path) -> None:
    """Runs `sweep_all`, unless an `up` or `down` is in progress, which does so itself."""
    with try_lock(lock) as acquired:
        if acquired:
            sweep_all(workspace, engines)


def _root(workspace: Workspace) -> Path:
    return workspace.flink.absolute() / "tmp"
