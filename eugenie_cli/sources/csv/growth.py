"""Files that grow, because a logger appends rows: only what was added since the last import is read.

What was imported stays valid if the file still begins with the same bytes and was read to the end of a line. A last
line without a line break may be half a row: while its file grows it is left for the next import, and a file that was
read to such a line is read again as a whole when it has grown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eugenie_cli.sources.files.archives import inside
from eugenie_cli.sources.files.compression import compression_of

_BLOCK = 1 << 20
_HASHED = 1 << 18  # bytes read at a time: they are hashed while they are in the processor's cache


@dataclass(frozen=True)
class Resumption:
    """Where the reading of a file ended: the offset, the number of lines before it, and a digest of its header."""

    at: int
    lines: int
    header: str

    def state(self) -> dict[str, Any]:
        return {"at": self.at, "lines": self.lines, "header": self.header}

    @staticmethod
    def of(state: Mapping[str, Any]) -> Resumption | None:
        """Of an imported item; None if its file can only be read as a whole."""
        kept = state.get("resume")
        return Resumption(kept["at"], kept["lines"], kept["header"]) if kept else None


def may_grow(path: Path, encoding: str) -> bool:
    """Whether the lines of a file can be found in its bytes: it is not compressed, and a line feed is one byte."""
    every = bytes(range(256))
    one_byte = encoding.lower().startswith(("utf-8", "utf8")) or len(every.decode(encoding, "replace")) == len(every)
    return one_byte and "\n".encode(encoding)[-1:] == b"\n" and compression_of(path) is None and inside(path) is None


def whole_lines(path: Path, size: int) -> int:
    """The offset after the last line feed among the first `size` bytes; 0 if there is none. Raises OSError."""
    with path.open("rb") as file:
        end = size
        while end > 0:
            begin = max(0, end - _BLOCK)
            file.seek(begin)
            found = file.read(end - begin).rfind(b"\n")
            if found >= 0:
                return begin + found + 1
            end = begin
    return 0


def digests(path: Path, sizes: tuple[int, ...]) -> list[str]:
    """The SHA-256 of the first `sizes[0]`, `sizes[1]`, ... bytes of a file; `sizes` rise. Raises OSError, EOFError if
    the file is shorter.
    """
    digest, done, results = hashlib.sha256(), 0, []
    buffer = memoryview(bytearray(_HASHED))
    with path.open("rb", buffering=0) as file:
        for size in sizes:
            while done < size:
                count = file.readinto(buffer[: size - done])
                if not count:
                    raise EOFError
                digest.update(buffer[:count])
                done += count
            results.append(digest.hexdigest())
    return results
