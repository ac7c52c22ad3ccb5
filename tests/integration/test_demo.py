"""`eugenie demo` as a newcomer runs it: real engines, from exports to the table of detected faults."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from support import foreground

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1_500)]

COMMAND = [str(Path(sys.executable).parent / "eugenie"), "demo", "--output-dir", "plant"]
KINDS = {"cavitation", "blocked-filter", "valve-leak", "bearing-wear", "sensor-drift", "stuck-sensor"}
FAULT_KEYS = {"kind", "asset", "injected", "detected", "delay_s", "sensors", "right"}


def left_behind(folder: Path) -> list[list[str]]:
    """Command lines of processes that still belong to this demo."""
    command_lines = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if any(str(folder) in word for word in words):
            command_lines.append(words)
    return command_lines


def test_it_finds_the_faults_and_accounts_for_every_reading(tmp_path):
    command = [*COMMAND, "--seed", "2", "--speed", "400", "-o", "json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4_000:]
    result = json.loads(done.stdout)
    assert {fault["kind"] for fault in result["faults"]} == KINDS
    assert all(set(fault) == FAULT_KEYS for fault in result["faults"])
    assert sum(fault["right"] for fault in result["faults"]) >= 5, result["faults"]
    assert result["false_alarms"] <= 1
    readings = result["readings"]
    assert readings["sent"] == readings["in_rows"] + readings["bad_quality"] + readings["dead_letters"]
    assert readings["dead_letters"] > 0.005 * readings["sent"]
    assert readings["bad_quality"] > 0
    assert left_behind(tmp_path) == []


def test_ctrl_c_leaves_no_process_and_says_what_was_kept(tmp_path):
    demo = foreground.start(COMMAND, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    run_files = tmp_path / "plant" / "run"
    deadline = time.monotonic() + 120
    while not (run_files / "kafka.json").exists():  # an engine has been started
        assert demo.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(demo.pid, signal.SIGINT)
    _, stderr = demo.communicate(timeout=300)
    assert demo.returncode == 130, stderr
    assert f"kept: {tmp_path / 'plant'}" in stderr
    assert left_behind(tmp_path) == []


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path):
    (tmp_path / "plant").mkdir()
    mine = tmp_path / "plant" / "thesis.txt"
    mine.write_text("years of work")
    done = subprocess.run(COMMAND, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "contains no earlier demo" in done.stderr
    assert mine.read_text() == "years of work"
