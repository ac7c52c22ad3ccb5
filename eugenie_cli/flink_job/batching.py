"""Batches that are worth a Predict call of their own, and those that share one. Pure.

A live plant makes one row of each asset at a time: one call for all of them costs the model server less than half of
what a call for each shard does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eugenie_cli.flink_job.grid import Batch

LARGE = 128
"""Windows from which a batch goes by itself: joined to others it would gain nothing."""

Work = tuple[int, Batch]
"""A shard, and rows of it that want a score."""


def joined(work: Iterable[Work]) -> Iterator[list[Work]]:
    """The same work, in calls: batches of one class and one length. The order within a class stays."""
    waiting: dict[str, list[Work]] = {}
    for item in work:
        batch = item[1]
        before = waiting.get(batch.class_name, [])
        if before and (batch.rows.shape[1] != before[0][1].rows.shape[1] or _windows([item]) >= LARGE):
            yield waiting.pop(batch.class_name)
        call = waiting.setdefault(batch.class_name, [])
        call.append(item)
        if _windows(call) >= LARGE:
            yield waiting.pop(batch.class_name)
    yield from waiting.values()


def _windows(call: list[Work]) -> int:
    return sum(batch.readings.size for _, batch in call)
