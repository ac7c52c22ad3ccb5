"""Sections of a file: below its header, a line states another date, or another start of elapsed time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from eugenie_cli.errors import EugenieError
from eugenie_cli.sources.csv.lines import Block
from eugenie_cli.sources.csv.quotes import line_starts
from eugenie_cli.sources.csv.tables import Context
from eugenie_cli.sources.csv.unread_lines import Beginning
from eugenie_cli.sources.files.stated import KINDS, begins, bind_lines


@dataclass(frozen=True)
class Sections:
    """`marks`: with which the lines begin; `begin` finds them; `ts`: of the mapping, as the site file has it."""

    marks: tuple[str, ...]
    begin: Beginning
    ts: Mapping[str, Any]

    @staticmethod
    def of(context: Context) -> Sections | None:
        """Those of a file whose mapping takes the date or start from a line; None for others."""
        ts = context.mapping["ts"]
        stated = [ts[kind] for kind in KINDS if isinstance(ts.get(kind), Mapping)]
        marks = tuple(mark for section in stated for mark in section.get("line") or ())
        return Sections(marks, Beginning(marks), ts) if marks else None

    def divided(self, block: Block) -> Iterator[tuple[Block, str | None]]:
        """The rows of a block up to the first such line, then those below each with the line."""
        starts = line_starts(block.data)
        lines = self.begin.lines(block.data, starts)
        found = [(int(starts[line]), self._line(block.data, int(starts[line]))) for line in lines]
        found = [(at, line) for at, line in found if any(begins(line, mark) for mark in self.marks)]
        yield block.part(0, found[0][0]) if found else block, None
        for (start, line), (end, _) in pairwise([*found, (len(block.data), "")]):
            below = start + len(line.encode())
            yield block.part(below, max(end, below)), line

    def restated(self, context: Context, line: str, number: int) -> Context:
        """The context below a line with this number. Raises EugenieError."""
        where = f"{context.where}:{number}"
        if len(self.marks) > 1:
            raise EugenieError(f"{where}: begins another section", hint="divide the file above each section")
        mapping = bind_lines({**context.mapping, "ts": self.ts}, [line], where, context.timezone)
        return replace(context, mapping=mapping)

    @staticmethod
    def _line(data: bytes, start: int) -> str:
        return next(iter(data[start : start + _LONGEST].splitlines(keepends=True))).decode("utf-8", "replace")


_LONGEST = 10_000
"""Bytes of a line that states a date."""
