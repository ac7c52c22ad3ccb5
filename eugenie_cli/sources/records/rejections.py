"""Counts rejected records, and keeps the first few of each reason as examples, where the importer says they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import pyarrow as pa

from eugenie_cli.sources.interface import Tally
from eugenie_cli.sources.records.advice import advised
from eugenie_cli.sources.records.reader import RecordReader
from eugenie_cli.sources.records.refusals import Refusals


def count_rejections(
    tally: Tally,
    reader: RecordReader,
    block: pa.RecordBatch,
    refusals: Sequence[Refusals],
    place: Callable[[int], str],
) -> None:
    """Add a block that `reader` has just read to `tally`. `place`: index of a record in the block -> where it is, such
    as `file:line`, or the table and the row's key.
    """
    tally.records += block.num_rows
    tally.lost += reader.lost
    counts: Counter[str] = Counter()
    for refusal in refusals:
        counts[refusal.reason] += len(refusal.records)
    remaining = {reason: max(0, tally.reject(reason, count)) for reason, count in counts.items()}
    examples = [
        (record, refusal.reason, refusal.column)
        for refusal in refusals
        for record in refusal.records[: remaining[refusal.reason]].tolist()
    ]
    for record, reason, column in sorted(examples, key=lambda example: example[0]):
        if remaining[reason]:
            remaining[reason] -= 1
            tally.example(reason, place(record), advised(reason, reader.explain(block, record, column)))
