"""Arrays on disk for the duration of a training run, so that the history may be larger than memory.

Their files are unlinked, so nothing remains however the process ends. Pages that were not touched lately are in the
page cache, which the kernel reclaims when it needs memory.
"""

from __future__ import annotations

import errno
import math
import mmap
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from eugenie_cli.errors import EugenieError

BLOCK_ROWS = 100_000
"""Rows that are processed at once: 3 MB for eight sensors, and a few times that for intermediate results."""


class Memory:
    """Arrays in memory, for data that are in memory anyway."""

    def array(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """A new array with undefined contents."""
        return np.empty(shape, dtype)

    def release(self) -> None:
        """Hints that the data written so far will not be needed soon."""


class MmapArrays(Memory):
    """Arrays in unlinked files of a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._maps: list[mmap.mmap] = []

    def array(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """A new array of zeros. Raises EugenieError when the disk is too full for it."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if not size:
            return np.zeros(shape, dtype)
        with tempfile.TemporaryFile(dir=self._folder) as file:
            try:
                os.posix_fallocate(file.fileno(), 0, size)  # detects a full disk here, not while writing
            except OSError as problem:
                if problem.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                    raise
                raise EugenieError(
                    f"{self._folder} has no room for {size / 1e9:.1f} GB of scaled history",
                    "free some space, or set `workspace` of the site file to a larger disk",
                ) from problem
            mapped = mmap.mmap(file.fileno(), size)
        self._maps.append(mapped)
        return np.frombuffer(mapped, dtype).reshape(shape)

    def release(self) -> None:
        """Hands the pages back to the page cache: they stay on disk, but no longer count as the process's memory."""
        for mapped in self._maps:
            mapped.madvise(mmap.MADV_DONTNEED)


def blocks(length: int, rows: int = BLOCK_ROWS) -> Iterator[slice]:
    """Consecutive slices that cover `length`."""
    for first in range(0, length, rows):
        yield slice(first, min(first + rows, length))
