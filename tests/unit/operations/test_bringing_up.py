"""Engines that end while `up` waits for them."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from eugenie_cli.engines import process
from eugenie_cli.engines.launcher import Engine
from eugenie_cli.errors import EugenieError
from eugenie_cli.operations import up
from eugenie_cli.progress import SILENT


def program(folder: Path, text: str) -> Engine:
    """A Python program as an engine, which is healthy once it has written its file `well`."""
    run_file = folder / "engine.json"

    def launch() -> process.Process:
        return process.start_detached(
            "engine",
            [sys.executable, "-c", text, str(folder)],
            env=process.minimal_env(),
            log=folder / "engine.log",
            run_file=run_file,
        )

    return Engine("engine", run_file, launch, (folder / "well").exists)


LATE = "import pathlib, sys, time; time.sleep(0.2); pathlib.Path(sys.argv[1], 'well').touch(); time.sleep(60)"


@pytest.mark.slow
def test_a_running_engine_that_ends_meanwhile_is_restarted(tmp_path: Path) -> None:
    engine = program(tmp_path, LATE)
    first = engine.launch()
    until_well(engine)
    (tmp_path / "well").unlink()  # it hangs, and is killed while `up` waits for it
    os.kill(first.pid, signal.SIGSTOP)
    try:

        def killed_when_asked() -> bool:
            if process.identify(engine.run_file) == first:
                os.kill(first.pid, signal.SIGKILL)
            return engine.healthy()

        watched = Engine(engine.name, engine.run_file, engine.launch, killed_when_asked)
        up._bring_up([watched], [], SILENT)
        second = process.identify(engine.run_file)
        assert second is not None and second.pid != first.pid
    finally:
        process.stop(engine.run_file)


def test_an_engine_that_fails_to_start_is_launched_once(tmp_path: Path) -> None:
    engine = program(tmp_path, "import sys; sys.exit('no licence')")
    with pytest.raises(EugenieError, match="engine ended while starting:\nno licence"):
        up._bring_up([engine], [], SILENT)
    with pytest.raises(EugenieError, match="engine ended while starting:\nno licence"):
        up._bring_up([engine], [engine], SILENT)


def until_well(engine: Engine) -> None:
    deadline = time.monotonic() + 20
    while not engine.healthy():
        assert time.monotonic() < deadline
        time.sleep(0.02)
