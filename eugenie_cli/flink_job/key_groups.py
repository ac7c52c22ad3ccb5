"""Keys for the shards that Flink deals out evenly.

Flink hashes a key into one of `MAX_PARALLELISM` key groups, and gives each task an equal range of these. Eight keys in
a row may all but miss one of two tasks. So each shard has as key the smallest number whose group lies in its own part
of the range: as even as it can be for every parallelism that divides the shards.
"""

from __future__ import annotations

from functools import lru_cache

MAX_PARALLELISM = 128
"""Key groups, Flink's default for small jobs, and said in the job's settings: the state of a job depends on it."""

_BITS = 0xFFFF_FFFF

_ROW_OF_ONE = 62
"""The hash code of a row with one int is this and the int."""


@lru_cache
def keys(shards: int) -> tuple[int, ...]:
    """The key of each shard. `shards` is at most `MAX_PARALLELISM`."""
    found: dict[int, int] = {}
    key = 0
    while len(found) < shards:
        found.setdefault(key_group(key) * shards // MAX_PARALLELISM, key)
        key += 1
    return tuple(found[shard] for shard in range(shards))


@lru_cache
def shards_of(shards: int) -> dict[int, int]:
    """Key -> shard."""
    return {key: shard for shard, key in enumerate(keys(shards))}


@lru_cache
def tasks(shards: int, parallelism: int) -> dict[int, tuple[int, ...]]:
    """Task -> the shards that Flink gives it. With some parallelisms a task gets none, and is not there."""
    found: dict[int, tuple[int, ...]] = {}
    for shard, key in enumerate(keys(shards)):
        task = key_group(key) * parallelism // MAX_PARALLELISM  # `computeOperatorIndexForKeyGroup`
        found[task] = (*found.get(task, ()), shard)
    return found


def key_group(key: int) -> int:
    """Flink's key group of `Row.of(key)`, which is what PyFlink makes of a key: the Murmur3 hash of its hash code.

    As `KeyGroupRangeAssignment.assignToKeyGroup` has it, modulo the number of groups.
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
