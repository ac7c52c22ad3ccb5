"""Whatever interrupts an import or a compaction: after another run the history is that of an undisturbed one."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
from support.import_processes import import_processes
from support.interrupted_imports import contents, history_of, write_exports
from support.small_disk import small_disk

from eugenie_cli.errors import ExitCode
from eugenie_cli.history.verification import verify

pytestmark = pytest.mark.slow

SITE = "support.interrupted_imports"

KILLS = int(os.environ.get("EUGENIE_TEST_KILLS", "5"))
"""Moments at which a process is killed. More of them find rarer moments; five take a few seconds."""


@pytest.fixture(scope="module")
def exports(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("plant")
    write_exports(folder)
    return folder


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    with import_processes(tmp_path_factory.mktemp("output")) as ready:
        yield ready


@pytest.fixture(scope="module")
def start(processes, exports):
    """(workspace, file_limit) -> an import of the exports."""
    return lambda workspace, **limits: processes.start(SITE, exports, workspace, **limits)


@pytest.fixture(scope="module")
def undisturbed(start, processes, tmp_path_factory):
    """What an undisturbed run gives, and how long it takes, s."""
    workspace = tmp_path_factory.mktemp("undisturbed")
    process, began = start(workspace), time.monotonic()
    assert processes.finish(process) == (0, "")
    return contents(workspace), time.monotonic() - began


@pytest.mark.slow
def test_a_process_killed_at_any_moment_loses_and_doubles_nothing(start, processes, undisturbed, tmp_path):
    expected, seconds = undisturbed
    chance = random.Random(KILLS)
    for number in range(KILLS):
        workspace = tmp_path / str(number)
        for _ in range(1 + number % 2):  # sometimes the second run is killed, too
            process = start(workspace)
            time.sleep(chance.uniform(0, seconds))
            process.kill()
            processes.finish(process)
            assert verify(history_of(workspace)).damaged == ()
        assert processes.finish(start(workspace)) == (0, "")
        assert contents(workspace) == expected, f"moment {number}"
        history = history_of(workspace)
        assert verify(history).damaged == ()
        files = {str(path.relative_to(history.root)) for path in (history.root / "parts").rglob("*") if path.is_file()}
        assert files == set(history.snapshot().by_file)


@pytest.mark.slow
def test_two_importers_at_once_give_what_one_gives(start, processes, undisturbed, tmp_path):
    ended = [processes.finish(process) for process in [start(tmp_path), start(tmp_path)]]
    assert {code for code, _ in ended} <= {ExitCode.OK, ExitCode.REFUSED}
    assert all(not output or "is already running" in output for _, output in ended)
    assert processes.finish(start(tmp_path)) == (0, "")
    assert contents(tmp_path) == undisturbed[0]


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1_000, 20_000], ids="{} bytes a file".format)
def test_a_disk_that_refuses_is_an_error_with_the_next_step(start, processes, undisturbed, tmp_path, limit):
    code, output = processes.finish(start(tmp_path, file_limit=limit))
    assert code in (ExitCode.FAILED, ExitCode.PARTLY)
    assert f"the history in {history_of(tmp_path).root} cannot be written: File too large" in output
    assert "make room on its disk" in output
    assert verify(history_of(tmp_path)).damaged == ()
    assert processes.finish(start(tmp_path)) == (0, "")
    assert contents(tmp_path) == undisturbed[0]


@pytest.mark.slow
def test_a_disk_that_fills_up_loses_and_doubles_nothing(start, processes, undisturbed, tmp_path):
    disk = tmp_path / "disk"
    with small_disk(disk, "160k") as resize:
        code, output = processes.finish(start(disk))
        assert code in (ExitCode.FAILED, ExitCode.PARTLY)
        assert "cannot be written: No space left on device" in output
        assert verify(history_of(disk)).damaged == ()
        resize("20m")
        assert processes.finish(start(disk)) == (0, "")
        assert contents(disk) == undisturbed[0]
