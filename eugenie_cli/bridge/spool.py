"""A queue of batches on disk, in segments, bounded: what does not fit pushes the oldest segments out, or is refused.

A batch that was appended survives a crash of the process; one that was cut off by a loss of power is left out. Batches
that were delivered just before a crash may be read again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import zlib
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from eugenie_cli.files import sync as sync_folder

_HEADER = struct.Struct("<III")  # length, CRC-32 of the content, readings
SEGMENT_BYTES = 4 << 20  # what is lost at a time when the space is used up; few enough files for a GiB
FULL = "the store is full"
_SUFFIX = ".batches"
_POSITION = "delivered"


@dataclass(frozen=True)
class Stored:
    """A batch on disk. `end`: where the next one begins, as (segment, offset)."""

    content: bytes
    readings: int
    end: tuple[int, int]


@dataclass
class _Segment:
    number: int
    size: int = 0
    readings: int = 0
    read: int = 0
    """Readings of it that were taken."""


@dataclass
class Spool:
    """`folder`: of this queue alone; `limit`: bytes. Not safe to use from several threads.

    `lost`: readings that were pushed out since the last look at it.
    """

    folder: Path
    limit: int
    lost: int = 0
    _segments: deque[_Segment] = field(default_factory=deque)
    _writer: IO[bytes] | None = None
    _at: tuple[int, int] = (0, 0)
    _delivered: tuple[int, int] = (0, 0)
    _has_new_file: bool = False

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._delivered = self._at = self._recorded()
        for file in sorted(self.folder.glob(f"*{_SUFFIX}")):
            number = int(file.name.removesuffix(_SUFFIX))
            if number < self._at[0]:
                file.unlink()
                continue
            self._segments.append(self._scanned(number))
        if self._segments and self._at[0] != self._segments[0].number:
            self._at = (self._segments[0].number, 0)

    @property
    def readings(self) -> int:
        """How many readings wait to be taken."""
        return sum(segment.readings - segment.read for segment in self._segments)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(segment.size for segment in self._segments)

    def append(self, content: bytes, readings: int, *, may_push_out: bool = True) -> tuple[int, int]:
        """Store a batch. Returns its end. Raises OSError, with nothing stored, if the disk is full, or the limit is
        reached and nothing may be pushed out.
        """
        entry = _HEADER.pack(len(content), zlib.crc32(content), readings) + content
        if may_push_out:
            self._make_room(len(entry))
        elif self._segments and self.size + len(entry) > self.limit:
            raise OSError(errno.ENOSPC, FULL)
        segment = self._segments[-1] if self._segments else None
        writer = self._writer
        if segment is None or writer is None or segment.size >= SEGMENT_BYTES:
            segment, writer = self._new_segment()
        try:
            writer.write(entry)
            writer.flush()
        except OSError:
            with contextlib.suppress(OSError):  # it tries to write the rest
                writer.close()
            self._writer = None
            os.truncate(self._file(segment.number), segment.size)
            raise
        segment.size += len(entry)
        segment.readings += readings
        return segment.number, segment.size

    def sync(self) -> None:
        """Make what was appended survive a loss of power."""
        if self._writer is not None:
            os.fsync(self._writer.fileno())
        if self._has_new_file:
            sync_folder(self.folder)
            self._has_new_file = False

    def take(self) -> Stored | None:
        """The next batch, or None. It stays on disk until `delivered`."""
        while self._segments:
            number, offset = self._at
            segment = next((segment for segment in self._segments if segment.number == number), None)
            if segment is None:
                return None
            if offset < segment.size:
                with self._file(number).open("rb") as file:
                    file.seek(offset)
                    length, _, readings = _HEADER.unpack(file.read(_HEADER.size))
                    content = file.read(length)
                self._at = (number, offset + _HEADER.size + length)
                segment.read += readings
                return Stored(content, readings, self._at)
            later = next((segment.number for segment in self._segments if segment.number > number), None)
            if later is None:
                return None
            self._at = (later, 0)
        return None

    def skip_to(self, end: tuple[int, int]) -> None:
        """Count batches up to `end` as taken: they are in memory, too."""
        while self._at < end and self.take() is not None:
            pass

    def delivered(self, end: tuple[int, int]) -> None:
        """Forget batches up to `end`."""
        self._delivered = max(self._delivered, end)
        while self._segments and (
            self._segments[0].number < end[0]
            or (self._segments[0].number == end[0] and end[1] >= self._segments[0].size > 0)
        ):
            self._remove_first()

    def record(self) -> None:
        """Write down what was delivered, so that it is not read again after a crash; not if the disk is full."""
        temporary = self.folder / f"{_POSITION}.tmp"
        with contextlib.suppress(OSError):
            temporary.write_text(f"{self._delivered[0]} {self._delivered[1]}")
            temporary.replace(self.folder / _POSITION)

    def close(self) -> None:
        with contextlib.suppress(OSError):  # of a full disk: what is on it stays
            self.sync()
        self.record()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    # -- segments ----------------------------------------------------------------------------------

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:010d}{_SUFFIX}"

    def _recorded(self) -> tuple[int, int]:
        try:
            segment, offset = (self.folder / _POSITION).read_text().split()
            return int(segment), int(offset)
        except (OSError, ValueError):
            return 0, 0

    def _new_segment(self) -> tuple[_Segment, IO[bytes]]:
        if self._writer is not None:
            self.sync()
            self._writer.close()
            self._writer = None  # also if the disk has no room for another file
        number = max([self._segments[-1].number if self._segments else 0, self._delivered[0], self._at[0]]) + 1
        if not self._segments:
            self._at = (number, 0)
        writer = self._writer = self._file(number).open("ab")
        self._has_new_file = True
        self._segments.append(_Segment(number))
        return self._segments[-1], writer

    def _make_room(self, size: int) -> None:
        while len(self._segments) > 1 and self.size + size > self.limit:
            self.lost += self._segments[0].readings - self._segments[0].read
            self._remove_first()

    def _remove_first(self) -> None:
        segment = self._segments.popleft()
        if not self._segments and self._writer is not None:
            self._writer.close()
            self._writer = None
        self._file(segment.number).unlink(missing_ok=True)
        if self._at[0] <= segment.number:
            self._at = (self._segments[0].number, 0) if self._segments else (segment.number + 1, 0)

    def _scanned(self, number: int) -> _Segment:
        """A segment of an earlier process, without a batch that was cut off."""
        segment, file = _Segment(number), self._file(number)
        content = file.read_bytes()
        while (at := segment.size) + _HEADER.size <= len(content):
            length, crc, readings = _HEADER.unpack_from(content, at)
            body = content[at + _HEADER.size : at + _HEADER.size + length]
            if len(body) < length or zlib.crc32(body) != crc:
                break
            segment.size = at + _HEADER.size + length
            segment.readings += readings
            if (number, segment.size) <= self._at:
                segment.read += readings
        if segment.size < len(content):
            os.truncate(file, segment.size)
        return segment
