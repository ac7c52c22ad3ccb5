"""Keys of anomaly records: one per anomaly, so that compaction keeps open ones, in the partition of the asset.

A Flink SQL sink cannot choose a partition: Kafka's partitioner hashes the key. So a key that would lead to another
partition gets a suffix, the first number that leads to the asset's partition. That is the partition of the asset's name
as a key, where earlier releases wrote. Both are pure functions, so a repeated record has the same key.
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
        partition = partition_of(asset, self._partitions)
        if partition_of(key, self._partitions) == partition:
            return key
        numbered = (f"{key}/{number}" for number in count(1))
        return next(candidate for candidate in numbered if partition_of(candidate, self._partitions) == partition)


def partition_of(key: str, partitions: int) -> int:
    """The partition that Kafka's Java producer chooses for a key."""
    return (murmur2(key.encode("utf-8", "replace")) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """MurmurHash2 as Kafka's Java clients compute it, as an unsigned 32-bit number."""
    value = (_SEED ^ len(data)) & _32_BITS
    whole_words_end = len(data) & ~3
    for position in range(0, whole_words_end, 4):
        word = int.from_bytes(data[position : position + 4], "little") * _FACTOR & _32_BITS
        word = (word ^ word >> 24) * _FACTOR & _32_BITS
        value = (value * _FACTOR & _32_BITS) ^ word
    if whole_words_end < len(data):
        value = (value ^ int.from_bytes(data[whole_words_end:], "little")) * _FACTOR & _32_BITS
    value = (value ^ value >> 13) * _FACTOR & _32_BITS
    return value ^ value >> 15
