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


class Heads:
    """What records of series begin with. It remembers those of the last series, which a source mostly passes again."""

    def __init__(self) -> None:
        self._last: tuple[Sequence[Series], list[tuple[bytes, bytes]]] = ((), [])

    def of(self, series: Sequence[Series]) -> list[tuple[bytes, bytes]]:
        """(key, beginning of the value) of each."""
        known, heads = self._last
        if series is not known:
            heads = [_head(one) for one in series]
            self._last = series, heads
        return heads


def records_of(batch: Batch, heads: Heads | None = None) -> list[Record]:
    """One record per reading, in the batch's order: `{"asset", "sensor", "ts", "value", "quality"}`."""
    begins = (heads or Heads()).of(batch.series)
    instants, which = np.unique(batch.ts, return_inverse=True)  # of thousands of readings there are often few
    texts = np.datetime_as_string(instants.astype("M8[ms]"), unit="ms").tolist()
    shown = [f'{text}Z","value":'.encode() for text in texts]
    records = []
    for index, at, value in zip(batch.index.tolist(), which.tolist(), batch.value.tolist(), strict=True):
        key, head = begins[index]
        end = b'%a,"quality":"good"}' % value if value == value else b'null,"quality":"bad"}'
        records.append((key, head + shown[at] + end))
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
