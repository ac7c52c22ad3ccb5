"""Keys of anomaly records: one an anomaly, so that compaction keeps what is open, in the partition of its asset.

A sink of Flink's SQL cannot name a partition: Kafka's own partitioner takes the key's hash. So a key that would lead
elsewhere gets the first number behind it that leads to the asset's partition: the one that the asset's name alone leads
to, which is where earlier releases wrote. Both are pure functions, so a repeat has the same key.
"""

from __future__ import annotations

import json
from functools import lru_cache
from itertools import count

_SEED, _FACTOR, _32_BITS = 0x9747B28C, 0x5BD1E995, 0xFFFFFFFF


class AnomalyKeys:
    """Keys for a topic of `partitions` partitions: `pump-1/5f0c...`, or `pump-1/5f0c.../2`."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._key = lru_cache(maxsize=1024)(self._find)

    def of(self, asset: str, record: str) -> str:
        """The key of an anomaly record (JSON) of `asset`."""
        return self._key(asset, str(json.loads(record)["id"]))

    def _find(self, asset: str, anomaly_id: str) -> str:
        key = f"{asset}/{anomaly_id}"
        wanted = partition_of(asset, self._partitions)
        if partition_of(key, self._partitions) == wanted:
            return key
        numbered = (f"{key}/{number}" for number in count(1))
        return next(one for one in numbered if partition_of(one, self._partitions) == wanted)


def partition_of(key: str, partitions: int) -> int:
    """Where Kafka's producer in Java puts a key."""
    return (murmur2(key.encode("utf-8", "replace")) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """MurmurHash2 as Kafka's clients in Java compute it, as an unsigned number of 32 bits."""
    value = (_SEED ^ len(data)) & _32_BITS
    whole = len(data) & ~3
    for place in range(0, whole, 4):
        word = int.from_bytes(data[place : place + 4], "little") * _FACTOR & _32_BITS
        word = (word ^ word >> 24) * _FACTOR & _32_BITS
        value = (value * _FACTOR & _32_BITS) ^ word
    if whole < len(data):
        value = (value ^ int.from_bytes(data[whole:], "little")) * _FACTOR & _32_BITS
    value = (value ^ value >> 13) * _FACTOR & _32_BITS
    return value ^ value >> 15
