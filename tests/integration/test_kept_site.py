"""`eugenie up --supervise` as a process: it restarts killed engines; what was stopped on purpose stays stopped."""

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
from eugenie_cli.operations.down import down
from eugenie_cli.operations.status import status
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
    down(opened)


def wait_until(condition: Callable[[], bool], alive: subprocess.Popen) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert alive.poll() is None, "the supervisor ended"
        assert time.monotonic() < deadline, "the condition never became true"
        time.sleep(0.1)


def pids(site: Site) -> dict[str, int]:
    """Pids of the engines that answer."""
    return {engine.name: engine.pid for engine in status(site) if engine.state == "running" and engine.pid is not None}


def test_what_dies_comes_back_and_what_is_stopped_stays_stopped(site, tmp_path):
    log = tmp_path / "supervisor.log"
    command = [EUGENIE, "up", "--supervise", "--down-on-exit", "--site", str(site.file)]
    with log.open("w") as stderr:
        supervisor = foreground.start(command, stdout=subprocess.DEVNULL, stderr=stderr, cwd=tmp_path)
    try:
        wait_until(lambda: f"supervising {', '.join(STARTED)}; Ctrl-C" in log.read_text(), supervisor)
        local.start(site)
        before = pids(site)
        assert before.keys() == EVERY
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: pids(site).keys() == EVERY, supervisor)
        after = pids(site)
        assert all(after[name] != before[name] for name in EVERY)
        assert all(f"{name} died: restarting it" in log.read_text() for name in EVERY)

        local.stop(site)
        os.kill(after["kafka"], signal.SIGKILL)
        wait_until(lambda: "kafka" in pids(site), supervisor)
        assert local.status(site).state == "stopped", "an engine stopped on purpose was restarted"

        supervisor.send_signal(signal.SIGTERM)
        assert supervisor.wait(WITHIN_S) == 0
        assert {engine.state for engine in status(site)} == {"stopped"}
        assert not any(process._family(workspace_of(site).run / f"{name}.json") for name in EVERY)
    finally:
        if supervisor.poll() is None:
            supervisor.kill()
        supervisor.wait()


def test_ctrl_c_leaves_the_engines_running(site, tmp_path):
    """Engines that `--only` leaves out are not supervised."""
    command = [EUGENIE, "up", "--supervise", "--only", "mlflow", "--site", str(site.file)]
    supervisor = foreground.start(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert supervisor.stderr is not None
    try:
        while "supervising mlflow" not in (line := supervisor.stderr.readline()):
            assert line, "the supervisor ended"
        running = pids(site)
        supervisor.send_signal(signal.SIGINT)
        assert supervisor.wait(WITHIN_S) == 0
        assert running.keys() == {"mlflow"} and pids(site) == running
    finally:
        if supervisor.poll() is None:
            supervisor.kill()
        supervisor.wait()
