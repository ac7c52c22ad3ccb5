"""Locks on files: one holder at a time, and none after its death."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.locks import exclusive, refusing, try_lock

HOLD = "import sys, pathlib\nfrom eugenie_cli.locks import exclusive\nwith exclusive(pathlib.Path(sys.argv[1])):\n"
HOLD += "    print('held', flush=True)\n    sys.stdin.read()"


def test_a_lock_that_is_free_is_held_for_the_block(tmp_path):
    lock = tmp_path / "run" / ".lock"
    with try_lock(lock) as mine:
        assert mine
        with try_lock(lock) as other:
            assert not other
    with try_lock(lock) as mine:
        assert mine


def test_who_may_not_wait_is_refused_in_the_callers_words(tmp_path):
    with exclusive(tmp_path / "lock"):
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
    with try_lock(tmp_path / "lock") as mine:
        assert not mine
    os.kill(holder.pid, 9)
    holder.wait()
    with try_lock(tmp_path / "lock") as mine:
        assert mine


@pytest.mark.parametrize("kind", ["dangling", "to a file", "to a folder", "to itself"])
@pytest.mark.parametrize("hold", [exclusive, try_lock, lambda lock: refusing(lock, "an import runs", "wait")])
def test_a_symbolic_link_is_no_lock_and_nothing_is_created_or_changed_behind_it(tmp_path, kind, hold):
    lock, target = tmp_path / "inside" / "lock", tmp_path / "outside"
    lock.parent.mkdir()
    if kind == "to a file":
        target.write_text("theirs")
    if kind == "to a folder":
        target.mkdir()
    lock.symlink_to(lock if kind == "to itself" else target)
    with pytest.raises(EugenieError, match="lock is a symbolic link") as raised, hold(lock):
        pass
    assert (raised.value.exit_code, raised.value.hint) == (ExitCode.REFUSED, "remove the link")
    assert target.exists() == (kind in ("to a file", "to a folder"))
    assert kind != "to a file" or target.read_text() == "theirs"


def test_a_lock_in_a_folder_behind_a_link_is_held(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    with exclusive(tmp_path / "link" / "lock"), try_lock(tmp_path / "folder" / "lock") as mine:
        assert not mine


def test_what_else_prevents_a_lock_is_raised_as_it_is(tmp_path):
    (tmp_path / "lock").mkdir()
    with pytest.raises(IsADirectoryError), exclusive(tmp_path / "lock"):
        pass
