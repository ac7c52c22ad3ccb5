"""Locks on files: one holder at a time, and none after its death."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.locks import alone, free, refusing

HOLD = "import sys, pathlib\nfrom eugenie_cli.locks import alone\nwith alone(pathlib.Path(sys.argv[1])):\n"
HOLD += "    print('held', flush=True)\n    sys.stdin.read()"


def test_a_lock_that_is_free_is_held_for_the_block(tmp_path):
    lock = tmp_path / "run" / ".lock"
    with free(lock) as mine:
        assert mine
        with free(lock) as other:
            assert not other
    with free(lock) as mine:
        assert mine


def test_who_may_not_wait_is_refused_in_the_callers_words(tmp_path):
    with alone(tmp_path / "lock"):
        with pytest.raises(EugenieError) as raised, refusing(tmp_path / "lock", "an import runs", "wait for it"):
            pass
        assert (raised.value.reason, raised.value.hint) == ("an import runs", "wait for it")
        assert raised.value.exit_code is ExitCode.REFUSED
    with refusing(tmp_path / "lock", "an import runs", "wait for it"):
        pass


def test_what_fails_under_a_lock_is_raised_as_it_is(tmp_path):
    with pytest.raises(BlockingIOError), refusing(tmp_path / "lock", "an import runs", "wait"):
        raise BlockingIOError


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout.readline() == b"held\n"
    with free(tmp_path / "lock") as mine:
        assert not mine
    os.kill(holder.pid, 9)
    holder.wait()
    with free(tmp_path / "lock") as mine:
        assert mine
