"""Checks what an importer returns against `interface.Importer`, before it reaches the history."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from numbers import Real

import numpy as np

from eugenie_cli.history.batch import Batch
from eugenie_cli.readings.timestamps import MAX_INSTANT, MIN_INSTANT
from eugenie_cli.sources.interface import SourceItem


def fault_of_items(items: object) -> str | None:
    """What is wrong with the result of `items`; None if nothing is."""
    if not isinstance(items, Sequence):
        return f"{type(items).__name__} instead of a sequence of SourceItem"
    if not _are_json(items):  # one by one: which of them is at fault?
        for item in items:
            if (fault := _fault_of_item(item)) is not None:
                return fault
    repeated = [key for key, count in Counter(item.key for item in items).items() if count > 1]
    return f"several items with the key {repeated[0]}" if repeated else None


def _are_json(items: Sequence[object]) -> bool:
    """Whether all items are as `_fault_of_item` wants them; checked together, which is several times faster."""
    try:
        json.dumps([(item.state, dict(item.names)) for item in items], sort_keys=True, allow_nan=False)  # type: ignore[attr-defined]
    except (TypeError, ValueError, AttributeError):
        return False
    return all(
        type(item) is SourceItem
        and type(item.key) is str
        and type(item.size) in (int, float)
        and type(item.state) is dict
        and type(item.state.get("mtime_ns", 0)) is int
        and all(type(name) is str for name in item.aliases)
        for item in items
    )


def _fault_of_item(item: object) -> str | None:
    if not isinstance(item, SourceItem):
        return f"{type(item).__name__} instead of a SourceItem"
    if not all(isinstance(name, str) for name in (item.key, *item.aliases)):
        return f"a key or alias of {item.key!r} that is not text"
    if not isinstance(item.size, Real):
        return f"a size of {item.key} that is not a number"
    try:
        json.dumps([dict(item.state), dict(item.names)], sort_keys=True, allow_nan=False)  # the manifest is JSON
    except (TypeError, ValueError) as error:
        return f"a state or names of {item.key} that are not JSON: {error}"
    if not isinstance(item.state.get("mtime_ns", 0), Real):
        return f"an mtime_ns of {item.key} that is not a number"
    return None


def fault_of_batch(batch: object) -> str | None:
    """What is wrong with a batch; None if nothing is. Vectorized: every batch of an import passes through here."""
    if not isinstance(batch, Batch):
        return f"{type(batch).__name__} instead of a Batch"
    index, ts, value = batch.index, batch.ts, batch.value
    if index.dtype.kind != "i" or ts.dtype != np.int64 or value.dtype != np.float64:
        return f"a batch with index, ts and value of type {index.dtype}, {ts.dtype} and {value.dtype}"
    if not index.shape == ts.shape == value.shape == (len(ts),):
        return f"a batch with index, ts and value of shape {index.shape}, {ts.shape} and {value.shape}"
    if not len(ts):
        return None
    if index.min() < 0 or index.max() >= len(batch.series):
        return f"a batch with an index outside of its {len(batch.series)} series"
    if ts.min() < MIN_INSTANT or ts.max() > MAX_INSTANT:
        return f"a batch with an instant before {MIN_INSTANT} or after {MAX_INSTANT} ms since 1970 UTC"
    if np.isinf(value).any():
        return "a batch with an infinite value; bad quality is NaN"
    return None
