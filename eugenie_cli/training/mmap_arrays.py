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
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from eugenie_cli.errors import EugenieError

BLOCK_ROWS = 100_000
"""Rows that are processed at once: 3 MB for eight sensors, and a few times that for intermediate results."""


class Growing:
    """An array in memory of which rows are appended."""

    def __init__(self, row_shape: tuple[int, ...], dtype: DTypeLike) -> None:
        self._array: NDArray[Any] = np.empty((0, *row_shape), dtype)
        self._length = 0

    def append(self, rows: NDArray[Any]) -> None:
        length = self._length + len(rows)
        if length > len(self._array):
            self._resize(max(length, len(self._array) * 3 // 2))
        self._array[self._length : length] = rows
        self._length = length

    def finished(self) -> NDArray[Any]:
        """All rows. Nothing may be appended afterwards."""
        self._resize(self._length)
        return self._array

    def _resize(self, length: int) -> None:
        self._array.resize((length, *self._array.shape[1:]), refcheck=False)


class Memory:
    """Arrays in memory, for data that are in memory anyway."""

    def growing(self, row_shape: tuple[int, ...], dtype: DTypeLike) -> Growing:
        """An array without rows, to which rows of `row_shape` are appended."""
        return Growing(row_shape, dtype)

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
            with self.room_for(size):
                os.posix_fallocate(file.fileno(), 0, size)  # detects a full disk here, not while writing
            return self.mapped(file, shape, dtype)

    def growing(self, row_shape: tuple[int, ...], dtype: DTypeLike) -> Growing:
        """The same in a file. Appending raises EugenieError when the disk is full."""
        return _GrowingFile(self, tempfile.TemporaryFile(dir=self._folder), row_shape, dtype)

    def mapped(self, file: IO[bytes], shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """The contents of a file that has no name, as an array of `shape`."""
        mapped = mmap.mmap(file.fileno(), math.prod(shape) * np.dtype(dtype).itemsize)
        self._maps.append(mapped)
        return np.frombuffer(mapped, dtype).reshape(shape)

    @contextmanager
    def room_for(self, size: int) -> Iterator[None]:
        """Raises EugenieError when the disk is too full for `size` bytes."""
        try:
            yield
        except OSError as problem:
            if problem.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            raise EugenieError(
                f"{self._folder} has no room for {size / 1e9:.1f} GB of scaled history",
                "free some space, or set `workspace` of the site file to a larger disk",
            ) from problem

    def release(self) -> None:
        """Hands the pages back to the page cache: they stay on disk, but no longer count as the process's memory."""
        for mapped in self._maps:
            mapped.madvise(mmap.MADV_DONTNEED)


class _GrowingFile(Growing):
    def __init__(self, arrays: MmapArrays, file: IO[bytes], row_shape: tuple[int, ...], dtype: DTypeLike) -> None:
        self._arrays, self._file = arrays, file
        self._row_shape, self._dtype = row_shape, np.dtype(dtype)
        self._length = 0

    def append(self, rows: NDArray[Any]) -> None:
        self._length += len(rows)
        contents = np.ascontiguousarray(rows, self._dtype)
        with self._arrays.room_for(self._length * math.prod(self._row_shape) * self._dtype.itemsize):
            self._file.write(contents.data)

    def finished(self) -> NDArray[Any]:
        shape = (self._length, *self._row_shape)
        with self._file as file:
            if not math.prod(shape):
                return np.zeros(shape, self._dtype)
            with self._arrays.room_for(math.prod(shape) * self._dtype.itemsize):
                file.flush()
            return self._arrays.mapped(file, shape, self._dtype)


def blocks(length: int, rows: int = BLOCK_ROWS) -> Iterator[slice]:
    """Consecutive slices that cover `length`."""
    for first in range(0, length, rows):
        yield slice(first, min(first + rows, length))
