"""Locks between processes, held on files. The kernel releases a lock when its holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from eugenie_cli.errors import EugenieError, ExitCode


@contextmanager
def exclusive(lock_file: Path) -> Iterator[None]:
    """Hold the lock during the `with` block, after waiting for its present holder."""
    with _opened(lock_file) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def try_lock(lock_file: Path) -> Iterator[bool]:
    """Try to hold the lock during the `with` block; yields False if another process holds it."""
    with _opened(lock_file) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = True
        except BlockingIOError:
            held = False
        yield held


@contextmanager
def refusing(lock_file: Path, reason: str, hint: str, exit_code: ExitCode = ExitCode.REFUSED) -> Iterator[None]:
    """Hold the lock during the `with` block. Raises EugenieError (`reason`, `hint`) if another process holds it."""
    with try_lock(lock_file) as held:
        if not held:
            raise EugenieError(reason, hint, exit_code)
        yield


def _opened(lock_file: Path) -> IO[str]:
    """The file, created if necessary. Raises EugenieError (REFUSED) for a symbolic link: its target may be anywhere."""
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(lock_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        if not lock_file.is_symlink():
            raise
        reason = f"{lock_file} is a symbolic link; a lock is a file of its own"
        raise EugenieError(reason, "remove the link", ExitCode.REFUSED) from error
    return os.fdopen(handle, "a")
