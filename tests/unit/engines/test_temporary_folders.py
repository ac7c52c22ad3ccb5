"""Temporary folders of Flink's processes: what the dead left is removed, what a live one uses stays."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from eugenie_cli.engines import process, temporary_folders
from eugenie_cli.engines.launcher import run_file
from eugenie_cli.locks import alone
from eugenie_cli.workspace import Workspace

ENGINES = ("flink-jobmanager", "flink-taskmanager")


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path)


def left(workspace: Workspace) -> set[str]:
    return {path.name for path in (workspace.flink / "tmp").glob("*")}


def fill(folder: Path) -> Path:
    """As a JVM that was killed leaves it."""
    (folder / "flink-web-1" / "flink-web-upload").mkdir(parents=True)
    (folder / "flink-web-1" / "flink-web-upload" / "job.jar").write_bytes(b"x")
    (folder / "blobStore").symlink_to(folder.parent)
    return folder


@pytest.fixture
def live(workspace) -> Iterator[Path]:
    """A JobManager that runs, in a folder of its own; its run file says so."""
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


def test_a_folder_is_the_users_alone_and_of_one_process(workspace):
    first, second = (temporary_folders.make(workspace, engine) for engine in ENGINES)
    assert first != second and {one.stat().st_mode & 0o777 for one in (first, second)} == {0o700}


def test_a_new_process_removes_what_its_dead_predecessors_left_and_nothing_of_another(workspace, live):
    dead = [fill(temporary_folders.make(workspace, ENGINES[1])) for _ in range(2)]
    assert not dead[0].exists(), "the second start removed it"
    temporary_folders.sweep_all(workspace, ENGINES)
    assert left(workspace) == {live.name} and (live / "flink-web-1" / "flink-web-upload" / "job.jar").exists()


def test_while_one_of_a_shared_folder_lives_nothing_of_it_is_touched(workspace, live):
    """An eugenie before had one folder for all; its processes say of none that it is theirs."""
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
    with alone(lock):  # a launch whose run file is not written yet
        temporary_folders.sweep_if_free(workspace, ENGINES, lock)
        assert left(workspace)
    temporary_folders.sweep_if_free(workspace, ENGINES, lock)
    assert not left(workspace)
