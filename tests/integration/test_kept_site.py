"""`eugenie up --supervise` as a process: every engine that is killed comes back, what is stopped stays stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import foreground
from support.small_models import ASSETS, SITE, release, write_version

from eugenie_cli.engines import process
from eugenie_cli.operations import lifecycle
from eugenie_cli.serving import local
from eugenie_cli.site.load import load_site, workspace_of
from eugenie_cli.site.schema import Site

pytestmark = pytest.mark.integration

EUGENIE = str(Path(sys.executable).parent / "eugenie")
STARTED = ("kafka", "flink-jobmanager", "flink-taskmanager", "flink-metrics", "mlflow")
EVERY = {*STARTED, "serving"}
WITHIN_S = 180.0


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "kept.yaml").write_text(SITE)
    opened = load_site(tmp_path / "kept.yaml")
    write_version(workspace_of(opened).models, "pump", 1, ASSETS)
    release(workspace_of(opened).models, "pump", 1)
    yield opened
    lifecycle.down(opened)


def wait_until(condition: Callable[[], bool], alive: subprocess.Popen) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert alive.poll() is None, "the keeper ended"
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.1)


def pids(site: Site) -> dict[str, int]:
    """Of the engines that answer."""
    return {one.name: one.pid for one in lifecycle.status(site) if one.state == "running" and one.pid is not None}


def test_what_dies_comes_back_and_what_is_stopped_stays_stopped(site, tmp_path):
    told = tmp_path / "told.log"
    command = [EUGENIE, "up", "--supervise", "--down-on-exit", "--site", str(site.file)]
    with told.open("w") as stderr:
        keeper = foreground.start(command, stdout=subprocess.DEVNULL, stderr=stderr, cwd=tmp_path)
    try:
        wait_until(lambda: f"supervising {', '.join(STARTED)}; Ctrl-C" in told.read_text(), keeper)
        local.start(site)
        before = pids(site)
        assert before.keys() == EVERY
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: pids(site).keys() == EVERY, keeper)
        after = pids(site)
        assert all(after[name] != before[name] for name in EVERY)
        assert all(f"{name} died: restarting it" in told.read_text() for name in EVERY)

        local.stop(site)
        os.kill(after["kafka"], signal.SIGKILL)
        wait_until(lambda: "kafka" in pids(site), keeper)
        assert local.status(site).state == "stopped", "what was stopped on purpose was started"

        keeper.send_signal(signal.SIGTERM)
        assert keeper.wait(WITHIN_S) == 0
        assert {one.state for one in lifecycle.status(site)} == {"stopped"}
        assert not any(process._family(workspace_of(site).run / f"{name}.json") for name in EVERY)
    finally:
        if keeper.poll() is None:
            keeper.kill()
        keeper.wait()


def test_ctrl_c_leaves_the_engines_running(site, tmp_path):
    """And one of another part of the site is no business of the keeper."""
    command = [EUGENIE, "up", "--supervise", "--only", "mlflow", "--site", str(site.file)]
    keeper = foreground.start(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert keeper.stderr is not None
    try:
        while "supervising mlflow" not in (line := keeper.stderr.readline()):
            assert line, "the keeper ended"
        running = pids(site)
        keeper.send_signal(signal.SIGINT)
        assert keeper.wait(WITHIN_S) == 0
        assert running.keys() == {"mlflow"} and pids(site) == running
    finally:
        if keeper.poll() is None:
            keeper.kill()
        keeper.wait()
