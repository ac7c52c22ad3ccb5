"""Processes that a benchmark starts: if one dies, the benchmark stops at once and prints its last lines.

with child_process.running("the gateway", argv) as gateway:
    while not done():
        gateway.check()         # raises DeadProcessError
        time.sleep(0.5)

child_process.run("eugenie train", argv)
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from eugenie_cli.errors import EugenieError

LAST_LINES = 15
"""Lines of stderr that an error repeats: the end of a traceback and a few lines before it."""

ENDS_WITHIN_S = 40.0
"""Time between the signal that ends a process and KILL: a producer may flush for 30 s."""

_LAST_WORDS_S = 2.0
# a grandchild may keep the pipe open after the process itself has died


class DeadProcessError(EugenieError):
    """A process ended before the benchmark was done with it, or with an exit status other than 0."""


class Child:
    """A running process. Its stderr is passed on line by line, unless `echo` is false; the last lines are kept."""

    def __init__(self, name: str, process: subprocess.Popen[str], echo: bool) -> None:
        self._name = name
        self._process = process
        self._echo = echo
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        self._reader = threading.Thread(target=self._read, name=f"stderr of {name}", daemon=True)
        self._reader.start()

    def check(self) -> None:
        """Return while the process runs. Raises DeadProcessError once it has ended, with any exit status."""
        if self._process.poll() is not None:
            raise self.death()

    def death(self) -> DeadProcessError:
        """The error for a process that has ended: how it ended, and its last lines."""
        self.hear_out()
        how = in_words(self._process.returncode)
        last_lines = "".join(f"\n  {line}" for line in self._lines) or " none"
        return DeadProcessError(f"{self._name} {how}; its last lines on stderr:{last_lines}")

    def hear_out(self) -> None:
        """Return once all output of a process that has ended was passed on."""
        self._reader.join(_LAST_WORDS_S)

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stderr:
            for line in stderr:
                self._lines.append(line.rstrip())
                if self._echo:
                    sys.stderr.write(line)
                    sys.stderr.flush()


def in_words(status: int) -> str:
    """Describe an exit status of `subprocess`; negative: a signal."""
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


@contextmanager
def running(
    name: str,
    argv: Sequence[Any],
    *,
    ended_by: signal.Signals = signal.SIGTERM,
    echo: bool = True,
    **options: Any,
) -> Iterator[Child]:
    """Run `argv` while the block runs, and end it afterwards. `options`: those of `subprocess.Popen`.

    Raises DeadProcessError if the process ended before the block, even if the block raised another error, because the
    error of a client whose server has died is less informative.
    """
    with _started(name, argv, echo, **options) as (child, process):
        try:
            yield child
            child.check()
        except DeadProcessError:
            raise
        except Exception as error:
            if process.poll() is not None:
                raise child.death() from error
            raise
        finally:
            if process.poll() is None:
                process.send_signal(ended_by)
                _wait(process)


def run(name: str, argv: Sequence[Any], **options: Any) -> None:
    """Run `argv` to its end; `options`: those of `subprocess.Popen`. Raises DeadProcessError unless its status is 0."""
    with _started(name, argv, True, **options) as (child, process):
        if process.wait() != 0:
            raise child.death()


@contextmanager
def _started(
    name: str, argv: Sequence[Any], echo: bool, **options: Any
) -> Iterator[tuple[Child, subprocess.Popen[str]]]:
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, errors="replace", **options)
    child = Child(name, process, echo)
    try:
        yield child, process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        child.hear_out()


def _wait(process: subprocess.Popen[str]) -> None:
    try:
        process.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
