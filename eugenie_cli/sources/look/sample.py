"""A bounded sample of a file: all of a small one; of a large one its beginning, middle and end, cut at line ends."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from eugenie_cli.readings.members import BLANKS
from eugenie_cli.sources.files.archives import inside
from eugenie_cli.sources.files.compression import compression_of
from eugenie_cli.sources.files.opening import raw_bytes, streamed

WHOLE_BYTES = 4 << 20
"""A file of up to so many bytes is looked at as a whole: about a second of work."""
HEAD_BYTES, PART_BYTES = 2 << 20, 1 << 20
"""Bytes of a larger file: its beginning; its middle and its end, each."""


@dataclass(frozen=True)
class Sample:
    """`parts`: pieces of the file, unpacked, each from the beginning of a line to the end of one; `said`: how much of
    the file they are, in words; empty for all of it.
    """

    parts: tuple[bytes, ...]
    said: str = ""

    @property
    def head(self) -> bytes:
        return self.parts[0]

    @property
    def data(self) -> bytes:
        """All parts together: a file of the same kind."""
        return b"".join(self.parts)


def sample_of(path: Path) -> Sample:
    """The sample of a file of lines. Raises EugenieError if the file cannot be read."""
    if compression_of(path) or inside(path) is not None:
        with streamed(path, _silent) as file:
            head = file.read(WHOLE_BYTES + 1)
        if len(head) <= WHOLE_BYTES:
            return Sample((head,))
        width = _width(head)
        return Sample((_ended(head[:HEAD_BYTES], width),), f"only its first {HEAD_BYTES >> 20} MiB: it is compressed")
    with raw_bytes(path) as raw:
        size = raw.seek(0, 2)
        raw.seek(0)
        if size <= WHOLE_BYTES:
            return Sample((_read(raw, size),))
        head = _read(raw, HEAD_BYTES)
        width = _width(head)
        parts = [_ended(head, width)]
        for start in ((size - PART_BYTES) // 2, size - PART_BYTES):
            raw.seek(start - start % 4)
            part = _begun(_read(raw, PART_BYTES + 4), width)
            parts.append(part if start == size - PART_BYTES else _ended(part, width))
    said = f"{sum(map(len, parts)) / (1 << 20):.0f} of its {size / (1 << 20):,.0f} MiB: beginning, middle and end"
    return Sample(tuple(parts), said)


def _read(file: IO[bytes] | BinaryIO, count: int) -> bytes:
    """Up to `count` bytes: an unbuffered file may return fewer at a time."""
    pieces = []
    while count > 0 and (piece := file.read(count)):
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def _width(head: bytes) -> int:
    """Bytes of a line feed, with the byte order negative for big endian."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return 4 if head.startswith(codecs.BOM_UTF32_LE) else -4
    zeros = [head[:4096][place::2].count(0) for place in (0, 1)]
    if head.startswith(codecs.BOM_UTF16_LE) or zeros[1] > 1_000 > zeros[0]:
        return 2
    if head.startswith(codecs.BOM_UTF16_BE) or zeros[0] > 1_000 > zeros[1]:
        return -2
    return 1


def _feed(width: int) -> bytes:
    if width == 1:
        return b"\n"
    return b"\n".ljust(width, b"\0") if width > 0 else b"\n".rjust(-width, b"\0")


def _ended(data: bytes, width: int) -> bytes:
    """The data up to the end of its last whole line; all of it if there is none."""
    feed, at = _feed(width), len(data)
    while (at := data.rfind(feed, 0, at)) >= 0:
        if at % abs(width) == 0:
            return data[: at + len(feed)]
    lone = data.rfind(b"\r")
    return data[: lone + 1] if width == 1 and lone >= 0 else data


def _begun(data: bytes, width: int) -> bytes:
    """The data from the beginning of its first whole line."""
    feed, at = _feed(width), -1
    while (at := data.find(feed, at + 1)) >= 0:
        if at % abs(width) == 0:
            return data[at + len(feed) :]
    lone = data.find(b"\r")
    return data[lone + 1 :] if width == 1 and lone >= 0 else b""


def trimmed(text: str) -> str:
    """A cell without the blanks that count for nothing."""
    return text.strip(BLANKS)


def _silent(_amount: float) -> None:
    """Nobody watches the progress of a sample."""
