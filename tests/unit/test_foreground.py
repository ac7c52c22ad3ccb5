"""Tests of Ctrl-C start their programs with SIGINT at its default, however the test run itself was started."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from support import foreground

WAITS = [sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(60)"]
ENDS_WITHIN_S = 20.0


@pytest.fixture(params=[signal.SIG_IGN, signal.default_int_handler], ids=["background", "foreground"])
def disposition(request: pytest.FixtureRequest) -> Iterator[None]:
    """SIGINT as in a test run that is a background job, and as in one in the foreground."""
    inherited = signal.signal(signal.SIGINT, request.param)
    yield
    assert signal.getsignal(signal.SIGINT) is request.param, "the test run's own disposition was changed"
    signal.signal(signal.SIGINT, inherited)


@pytest.mark.usefixtures("disposition")
def test_ctrl_c_ends_a_program_that_a_test_started() -> None:
    with foreground.start(WAITS, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as program:
        try:
            assert program.stdout is not None and program.stdout.readline() == "ready\n"
            program.send_signal(signal.SIGINT)
            assert program.wait(ENDS_WITHIN_S) == -signal.SIGINT
        finally:
            program.kill()
