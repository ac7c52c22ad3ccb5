"""Locks between processes, held on files. The kernel releases a lock when its holder dies."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eugenie_cli.errors import EugenieError, ExitCode


@contextmanager
def alone(lock_file: Path) -> Iterator[None]:
    """Hold the lock during the `with` block, after waiting for its present holder."""
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def free(lock_file: Path) -> Iterator[bool]:
    """Try to hold the lock during the `with` block; yields False if another process holds it."""
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = True
        except BlockingIOError:
            held = False
        yield held


@contextmanager
def refusing(lock_file: Path, reason: str, hint: str, exit_code: ExitCode = ExitCode.REFUSED) -> Iterator[None]:
    """Hold the lock during the `with` block. Raises EugenieError (`reason`, `hint`) if another process holds it."""
    with free(lock_file) as held:
        if not held:
            raise EugenieError(reason, hint, exit_code)
        yield
