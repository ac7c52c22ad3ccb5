"""Groups batches into Predict calls: large batches get their own call, small ones share one. Pure.

A live plant produces one row per asset at a time. One call for all of them costs the model server less than half of
what one call per shard does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eugenie_cli.flink_job.grid import Batch

LARGE = 128
"""A batch of this many windows gets its own call: sharing one would gain nothing."""

Work = tuple[int, Batch]
"""A shard, and rows of it to score."""


def joined(work: Iterable[Work]) -> Iterator[list[Work]]:
    """The work grouped into calls, each of one class and one segment length. The order within a class is kept."""
    waiting: dict[str, list[Work]] = {}
    for item in work:
        batch = item[1]
        earlier = waiting.get(batch.class_name, [])
        if earlier and (batch.rows.shape[1] != earlier[0][1].rows.shape[1] or _windows([item]) >= LARGE):
            yield waiting.pop(batch.class_name)
        call = waiting.setdefault(batch.class_name, [])
        call.append(item)
        if _windows(call) >= LARGE:
            yield waiting.pop(batch.class_name)
    yield from waiting.values()


def _windows(call: list[Work]) -> int:
    return sum(batch.readings.size for _, batch in call)
