"""Temporary folders of Flink's processes: those of dead processes are removed, those of live ones stay."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from eugenie_cli.engines import process, temporary_folders
from eugenie_cli.engines.launcher import run_file
from eugenie_cli.locks import exclusive
from eugenie_cli.workspace import Workspace

ENGINES = ("flink-jobmanager", "flink-taskmanager")


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path)


def left(workspace: Workspace) -> set[str]:
    return {path.name for path in (workspace.flink / "tmp").glob("*")}


def fill(folder: Path) -> Path:
    """Fills the folder as a killed JVM leaves it."""
    (folder / "flink-web-1" / "flink-web-upload").mkdir(parents=True)
    (folder / "flink-web-1" / "flink-web-upload" / "job.jar").write_bytes(b"x")
    (folder / "blobStore").symlink_to(folder.parent)
    return folder


@pytest.fixture
def live(workspace) -> Iterator[Path]:
    """A running JobManager with its own folder, which its run file names."""
    folder = fill(temporary_folders.make(workspace, ENGINES[0]))
    running = process.start_detached(
        ENGINES[0],
        [sys.executable, "-c", "import time; time.sleep(600)"],
        env=process.minimal_env(),
        log=workspace.logs / "x.log",
        run_file=run_file(workspace, ENGINES[0]),
        details={temporary_folders.DETAIL: str(folder)},
    )
    assert running.pid
    yield folder
    process.stop(run_file(workspace, ENGINES[0]))


def test_a_folder_is_private_to_the_user_and_to_one_process(workspace):
    first, second = (temporary_folders.make(workspace, engine) for engine in ENGINES)
    assert first != second and {folder.stat().st_mode & 0o777 for folder in (first, second)} == {0o700}


def test_a_new_process_removes_the_folders_of_its_dead_predecessors_and_no_others(workspace, live):
    dead = [fill(temporary_folders.make(workspace, ENGINES[1])) for _ in range(2)]
    assert not dead[0].exists(), "the second start removed it"
    temporary_folders.sweep_all(workspace, ENGINES)
    assert left(workspace) == {live.name} and (live / "flink-web-1" / "flink-web-upload" / "job.jar").exists()


def test_a_shared_folder_stays_while_one_of_its_processes_lives(workspace, live):
    """An earlier release had one folder for all processes, and no run file named it."""
    mine = run_file(workspace, ENGINES[0])
    recorded = process.read_run_file(mine)
    process.write_run_file(mine, replace(recorded, details={}))
    (workspace.flink / "tmp" / "tm_old").mkdir()
    (workspace.flink / "tmp" / "libzstd.so").touch()
    temporary_folders.sweep_all(workspace, ENGINES)
    assert left(workspace) == {live.name, "tm_old", "libzstd.so"}
    process.write_run_file(mine, recorded)
    temporary_folders.sweep_all(workspace, ENGINES)
    assert left(workspace) == {live.name}
    process.stop(mine)
    temporary_folders.sweep_all(workspace, ENGINES)
    assert left(workspace) == set()


def test_nothing_is_removed_while_engines_are_started(workspace):
    temporary_folders.make(workspace, ENGINES[0])
    lock = workspace.run / ".lock"
    with exclusive(lock):  # during a launch whose run file is not written yet
        temporary_folders.sweep_if_free(workspace, ENGINES, lock)
        assert left(workspace)
    temporary_folders.sweep_if_free(workspace, ENGINES, lock)
    assert not left(workspace)
