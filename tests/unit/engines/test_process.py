"""A detached process is found again, is never mistaken for another, and ends with everything that it started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest

from eugenie_cli.engines import process
from eugenie_cli.errors import EugenieError

SLEEP = [sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable, "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('ready', flush=True); time.sleep(60)",
]  # fmt: skip
PARENT = [
    sys.executable, "-c",
    "import subprocess, sys, time;"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
    "print(child.pid, flush=True); time.sleep(60)",
]  # fmt: skip


@pytest.fixture
def run_file(tmp_path):
    path = tmp_path / "run" / "engine.json"
    yield path
    process.stop(path, grace_s=1)


def start(run_file: Path, argv=SLEEP, **options) -> process.Process:
    log = run_file.parent.parent / "logs" / "engine.log"
    env = process.minimal_env()
    return process.start_detached("engine", argv, env=env, log=log, run_file=run_file, **options)


def wait_for_log(started: process.Process) -> str:
    for _ in range(200):
        text = Path(started.log).read_text()
        if text.endswith("\n"):
            return text
        time.sleep(0.05)
    raise AssertionError("the process wrote nothing")


def test_a_started_process_is_found_by_its_run_file_with_its_address(run_file):
    started = start(run_file, address="127.0.0.1:9092", details={"heap": "512m"})
    assert process.identify(run_file) == started
    assert (started.address, started.details) == ("127.0.0.1:9092", {"heap": "512m"})


def test_it_has_its_own_session_so_that_ctrl_c_does_not_reach_it(run_file):
    started = start(run_file)
    assert os.getsid(started.pid) == started.pid != os.getsid(0)


def test_it_does_not_see_the_callers_environment(run_file, monkeypatch):
    monkeypatch.setenv("DATABASE_PASSWORD", "secret")
    started = start(run_file, [sys.executable, "-c", "import os; print(sorted(os.environ))"])
    assert "DATABASE_PASSWORD" not in wait_for_log(started)


def test_a_dead_process_is_not_identified(run_file):
    started = start(run_file)
    os.kill(started.pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(started.pid)], timeout=5)
    assert process.identify(run_file) is None
    assert process.stop(run_file) is False


def test_a_recycled_pid_is_neither_identified_nor_stopped(run_file):
    stranger = subprocess.Popen(SLEEP, stdout=subprocess.DEVNULL)
    try:
        created = psutil.Process(stranger.pid).create_time()
        run_file.parent.mkdir(parents=True)
        recorded = process.Process("engine", stranger.pid, created - 60, address="", log="")
        run_file.write_text(json.dumps(asdict(recorded)))
        assert process.identify(run_file) is None
        assert process.stop(run_file) is False
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_stop_ends_it_and_removes_the_run_file(run_file):
    started = start(run_file)
    assert process.stop(run_file) is True
    assert not psutil.pid_exists(started.pid)
    assert not run_file.exists()


@pytest.mark.slow
def test_stop_kills_a_process_that_ignores_term(run_file):
    started = start(run_file, STUBBORN)
    wait_for_log(started)
    assert process.stop(run_file, grace_s=0.5) is True
    assert not psutil.pid_exists(started.pid)


@pytest.mark.slow
def test_stop_ends_the_children_of_a_process_that_was_killed(run_file):
    started = start(run_file, PARENT)
    child = int(wait_for_log(started))
    os.kill(started.pid, signal.SIGKILL)
    assert process.stop(run_file) is True
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_a_process_without_a_run_file_is_found_by_its_marker(run_file):
    """Its starter was killed before it wrote the run file."""
    started = start(run_file)
    wait_for_log(started)
    run_file.unlink()
    assert process.stop(run_file) is True
    assert not psutil.pid_exists(started.pid)


def test_a_second_start_is_refused_while_the_first_runs(run_file):
    start(run_file)
    with pytest.raises(EugenieError, match="already running"):
        start(run_file)


def test_a_program_that_does_not_exist_is_an_error_that_names_it(run_file):
    with pytest.raises(EugenieError, match="no-such-program"):
        start(run_file, ["/no-such-program"])
    assert not run_file.exists()


@pytest.mark.slow
def test_a_start_keeps_the_latest_logs(run_file):
    for number in range(6):
        started = start(run_file, [sys.executable, "-c", f"print({number})"])
        wait_for_log(started)
        process.stop(run_file)
    folder = Path(started.log).parent
    assert {path.name: path.read_text()[0] for path in folder.iterdir()} == {
        "engine.log": "5", "engine.log.1": "4", "engine.log.2": "3", "engine.log.3": "2",
    }  # fmt: skip


def test_the_tail_of_a_log_is_its_last_lines(tmp_path):
    log = tmp_path / "engine.log"
    log.write_text("".join(f"line {number}\n" for number in range(100)))
    assert process.tail(log, 2) == "line 98\nline 99"
    assert process.tail(tmp_path / "none") == ""


def test_a_copied_run_file_is_not_obeyed_and_a_moved_one_is(run_file, tmp_path):
    """In a copied workspace, `eugenie down` stopped the engines of the original."""
    started = start(run_file)
    copy = tmp_path / "copy" / "engine.json"
    copy.parent.mkdir()
    copy.write_bytes(run_file.read_bytes())
    assert process.identify(copy) is None
    assert not process.stop(copy, grace_s=1)
    assert process.identify(run_file) == started
    moved = tmp_path / "moved.json"
    run_file.rename(moved)
    assert process.identify(moved) == started
    assert process.stop(moved, grace_s=1)
    assert process.identify(moved) is None
