"""Keys that make Flink distribute the shards evenly over tasks.

Flink hashes a key into one of `MAX_PARALLELISM` key groups, and gives each task an equal range of groups. The keys 0 to
7 could nearly all fall to one of two tasks. So a shard's key is the smallest number whose group lies in the shard's own
part of the range: the distribution is even for every parallelism that divides the number of shards.
"""

from __future__ import annotations

from functools import lru_cache

MAX_PARALLELISM = 128
"""Number of key groups: Flink's default for small jobs. Also in the job's settings, because its state depends on it."""

_BITS = 0xFFFF_FFFF

_ROW_OF_ONE = 62
"""The hash code of a row with a single int is this constant plus the int."""


@lru_cache
def keys(shards: int) -> tuple[int, ...]:
    """The key of each shard. `shards` is at most `MAX_PARALLELISM`."""
    key_of: dict[int, int] = {}
    key = 0
    while len(key_of) < shards:
        key_of.setdefault(key_group(key) * shards // MAX_PARALLELISM, key)
        key += 1
    return tuple(key_of[shard] for shard in range(shards))


@lru_cache
def shards_of(shards: int) -> dict[int, int]:
    """Key -> shard."""
    return {key: shard for shard, key in enumerate(keys(shards))}


@lru_cache
def tasks(shards: int, parallelism: int) -> dict[int, tuple[int, ...]]:
    """Task -> its shards. Omits tasks without shards, which some parallelisms leave."""
    shards_by_task: dict[int, tuple[int, ...]] = {}
    for shard, key in enumerate(keys(shards)):
        task = key_group(key) * parallelism // MAX_PARALLELISM  # `computeOperatorIndexForKeyGroup`
        shards_by_task[task] = (*shards_by_task.get(task, ()), shard)
    return shards_by_task


def key_group(key: int) -> int:
    """Flink's key group of `Row.of(key)`, PyFlink's form of a key: the Murmur3 hash of its hash code.

    As in `KeyGroupRangeAssignment.assignToKeyGroup`, modulo the number of groups.
    """
    code = _rotated((_ROW_OF_ONE + key) * 0xCC9E2D51 & _BITS, 15)
    code = _rotated(code * 0x1B873593 & _BITS, 13)
    code = (code * 5 + 0xE6546B64 & _BITS) ^ 4
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        code = (code ^ code >> shift) * factor & _BITS
    code ^= code >> 16
    signed = code - (1 << 32) if code >> 31 else code
    return abs(signed) % MAX_PARALLELISM


def _rotated(code: int, by: int) -> int:
    return (code << by | code >> 32 - by) & _BITS
