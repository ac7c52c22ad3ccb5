"""Locates rejected rows in their file, and keeps the first few of each reason as examples."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from eugenie_cli.printable import printable
from eugenie_cli.readings import reject_reasons
from eugenie_cli.sources.csv.lines import Block
from eugenie_cli.sources.interface import EXAMPLES, Tally
from eugenie_cli.sources.records.advice import advised
from eugenie_cli.sources.records.reader import RecordReader
from eugenie_cli.sources.records.refusals import Refusals

SHOWN_TEXT = 80  # characters of a malformed row
_COMMA = re.compile(r",[+-]?[0-9]+,[0-9]+(?:,|\s*$)")
_DECIMAL_COMMAS = ": if its numbers have decimal commas, export it with another delimiter, or numbers in quotes"


@dataclass(frozen=True)
class Ragged:
    """A row with too few or too many fields: its index in the block, a message, and its text."""

    row: int
    detail: str
    text: str

    @staticmethod
    def of(row: int, fields: int, expected: int, text: str) -> Ragged:
        """A row with the standard message."""
        why = f"{fields} fields, expected {expected}: {printable(text, SHOWN_TEXT)}"
        return Ragged(row, why + (_DECIMAL_COMMAS if fields > expected and _COMMA.search(text) else ""), text)


@dataclass(frozen=True)
class BlockRead:
    """A block, as a reader has read it.

    `lost`: records that gave no readings; `passed_over`: the indices, in the block, of rows that are no records (blank
    cells, a repeated header): of `ragged` ones, and of records, which `refusals` do not contain.
    """

    block: Block
    records: pa.RecordBatch
    ragged: list[Ragged]
    refusals: list[Refusals]
    lost: int
    passed_over: frozenset[int] = frozenset()


class Rejections:
    """Counts the records and rejections of one file. `name`: the file's name in examples."""

    def __init__(self, tally: Tally, name: str) -> None:
        self._tally, self._name = tally, printable(name)

    def add(self, read: BlockRead, reader: RecordReader) -> None:
        """Count a block's records, and keep the first few rejections of each reason, in the order of lines."""
        block, records, refusals = read.block, read.records, read.refusals
        ragged = [row for row in read.ragged if row.row not in read.passed_over]
        self._tally.records += records.num_rows + len(read.ragged) - len(read.passed_over) + len(block.refused)
        self._tally.lost += read.lost + len(ragged) + len(block.refused)
        if not refusals and not ragged and not block.refused:
            return
        remaining = {
            reason: self._tally.reject(reason, count) for reason, count in _counts(block, refusals, ragged).items()
        }
        examples: list[tuple[int, str, str, str]] = []
        for refused in block.refused:
            if remaining[refused.reason] > 0:
                text = printable(refused.text.decode("utf-8", "backslashreplace"), SHOWN_TEXT)
                examples.append((refused.line, str(refused.line), refused.reason, f"{refused.why}: {text}"))
        if remaining.get(reject_reasons.MISSING_FIELD, 0) > 0:
            for row in ragged[:EXAMPLES]:
                examples.append((*block.place(row.row), reject_reasons.MISSING_FIELD, row.detail))
        rows = rows_of(records, read.ragged)
        for refusal in refusals:
            for record in refusal.records[: max(0, remaining[refusal.reason])].tolist():
                detail = advised(refusal.reason, reader.explain(records, record, refusal.column))
                examples.append((*block.place(int(rows[record])), refusal.reason, detail))
        for _, place, reason, detail in sorted(examples):
            if remaining[reason] > 0:
                remaining[reason] -= 1
                self._tally.example(reason, f"{self._name}:{place}", detail)


def rows_of(records: pa.RecordBatch, ragged: Sequence[Ragged]) -> NDArray[np.int64]:
    """The row number in the block (from 0) of each record; ragged rows are not records."""
    return np.delete(np.arange(records.num_rows + len(ragged)), [row.row for row in ragged])


def _counts(block: Block, refusals: list[Refusals], ragged: list[Ragged]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for refusal in refusals:
        counts[refusal.reason] += len(refusal.records)
    counts.update(refused.reason for refused in block.refused)
    if ragged:
        counts[reject_reasons.MISSING_FIELD] += len(ragged)
    return counts
