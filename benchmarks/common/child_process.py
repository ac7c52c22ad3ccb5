"""Processes that a benchmark starts: one that dies ends the benchmark at once, with what it said last.

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
"""Lines of stderr that an error repeats: a traceback's end, with the few lines above it."""

ENDS_WITHIN_S = 40.0
"""From the signal that ends a process to KILL: a producer may flush for 30 s."""

_LAST_WORDS_S = 2.0
# a grandchild may keep the pipe open after the process itself has died


class DeadProcessError(EugenieError):
    """A process ended before the benchmark was done with it, or with an exit status other than 0."""


class Child:
    """A running process. Its stderr is passed on as it comes, unless `echo` is false, and its end is kept."""

    def __init__(self, name: str, process: subprocess.Popen[str], echo: bool) -> None:
        self._name = name
        self._process = process
        self._echo = echo
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        self._reader = threading.Thread(target=self._read, name=f"stderr of {name}", daemon=True)
        self._reader.start()

    def check(self) -> None:
        """Return while the process runs. Raises DeadProcessError once it has ended, whatever its exit status."""
        if self._process.poll() is not None:
            raise self.death()

    def death(self) -> DeadProcessError:
        """What there is to say of a process that has ended."""
        self.hear_out()
        how = in_words(self._process.returncode)
        said = "".join(f"\n  {line}" for line in self._lines) or " nothing"
        return DeadProcessError(f"{self._name} {how}; the last that it wrote on stderr:{said}")

    def hear_out(self) -> None:
        """Of a process that has ended: return once all that it wrote was passed on."""
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
    """Of an exit status as `subprocess` gives it, negative for a signal."""
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
    """Run `argv` beside the block; it is ended when the block ends. `options`: as of `subprocess.Popen`.

    Raises DeadProcessError when it has ended by then, also in place of another error of the block: that of a client
    whose process died says less.
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
    """Run `argv` to its end; `options`: as of `subprocess.Popen`. Raises DeadProcessError unless its status is 0."""
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
