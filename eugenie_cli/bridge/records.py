"""Readings as records of the site's topic, in canonical form, and packed for the disk."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from eugenie_cli.history.batch import Batch, Series

Record = tuple[bytes, bytes]
"""Key (the asset) and value."""

_LENGTHS = struct.Struct("<HI")


def records_of(batch: Batch) -> list[Record]:
    """One record per reading, in the batch's order: `{"asset", "sensor", "ts", "value", "quality"}`."""
    heads = [_head(series) for series in batch.series]
    instants = np.datetime_as_string(batch.ts.astype("M8[ms]"), unit="ms").tolist()
    records = []
    for index, ts, value in zip(batch.index.tolist(), instants, batch.value.tolist(), strict=True):
        key, head = heads[index]
        tail = (
            f'{ts}Z","value":{value!r},"quality":"good"}}'
            if value == value
            else f'{ts}Z","value":null,"quality":"bad"}}'
        )
        records.append((key, head + tail.encode()))
    return records


@lru_cache(maxsize=1 << 17)
def _head(series: Series) -> tuple[bytes, bytes]:
    asset, sensor = series
    names = json.dumps({"asset": asset, "sensor": sensor}, ensure_ascii=False, separators=(",", ":"))
    return asset.encode(), (names[:-1] + ',"ts":"').encode()


def pack(records: Sequence[Record]) -> bytes:
    """Records as one block of bytes."""
    parts: list[bytes] = []
    for key, value in records:
        parts += (_LENGTHS.pack(len(key), len(value)), key, value)
    return b"".join(parts)


def unpack(content: bytes) -> list[Record]:
    """The records of such a block."""
    records, at = [], 0
    while at < len(content):
        of_key, of_value = _LENGTHS.unpack_from(content, at)
        middle = at + _LENGTHS.size + of_key
        records.append((content[at + _LENGTHS.size : middle], content[middle : middle + of_value]))
        at = middle + of_value
    return records
