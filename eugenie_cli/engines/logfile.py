"""Readers of log files that are rolled while they are read."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

FILE_POLL_S = 0.3
"""Interval between checks for new lines."""


class LogFile:
    """A log file that is rolled: renamed, and replaced by a new file of the same name."""

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.path = name, path
        self._read = self._inode = 0
        self._rest = b""

    def more(self) -> list[str]:
        """The complete lines added since the last call; on the first call, all lines."""
        try:
            state = self.path.stat()
        except FileNotFoundError:
            return []
        if state.st_ino != self._inode or state.st_size < self._read:
            self._read, self._inode, self._rest = 0, state.st_ino, b""
        with self.path.open("rb") as stream:
            stream.seek(self._read)
            content = stream.read()
        self._read += len(content)
        *whole, self._rest = (self._rest + content).split(b"\n")
        return [line.decode("utf-8", "replace") for line in whole]


def read(path: Path, lines: int, follow: bool = False) -> Iterator[str]:
    """The last `lines` lines and, with `follow`, new lines as they are written, without end."""
    log = LogFile(path.stem, path)
    yield from deque(log.more(), maxlen=lines)
    while follow:
        time.sleep(FILE_POLL_S)
        yield from log.more()
