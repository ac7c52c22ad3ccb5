"""A test's own model server process, and versions for it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from eugenie_cli.tfserving.client import PredictClient
from eugenie_cli.tfserving.credentials import Credentials
from support.small_models import renumbered

POLL_MS = 50
READY = "ready.json"


def publish(versions: Path, folder: Path, *numbers: int) -> Path:
    """Publish versions from `versions` in `folder`, each by a single rename."""
    for number in numbers:
        renumbered(versions / str(number), folder / str(number))
    return folder


@contextmanager
def served(folder: Path, *arguments: str, credentials: Credentials | None = None) -> Iterator[PredictClient]:
    """Start a server and yield a client for it."""
    ready = folder / READY
    argv = [sys.executable, "-m", "eugenie_cli.model_server", "--port", "0", "--poll", str(POLL_MS), *arguments]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen([*argv, "--ready-file", str(ready)], stdout=log, stderr=log)
    try:
        wait_until(lambda: ready.exists() or process.poll() is not None, 180)
        assert process.poll() is None, (folder / "server.log").read_text()
        with PredictClient(json.loads(ready.read_text())["address"], credentials) as client:
            yield client
    finally:
        process.terminate()
        assert process.wait(30) == 0


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until the condition is true; fails if it takes too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never became true"
        time.sleep(0.02)
