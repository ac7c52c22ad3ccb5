"""What one decoder sends to one task: readings in columns, dead letters, counts of unknown tags. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.flink_job.read_offsets import Heard
from eugenie_cli.flink_job.unknown_tags import Key, UnknownTag

Columns = tuple["NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.float64]"]
"""N readings as the state keeps them: places (`sensor_index`), instants in ms since 1970 UTC, values in engineering
units (NaN: bad quality)."""


class Readings(NamedTuple):
    """N readings in the order of their arrival, each with its message."""

    place: NDArray[np.int64]
    ts: NDArray[np.int64]
    value: NDArray[np.float64]
    arrival: NDArray[np.int64]
    """When the message arrived, ms since 1970 UTC: see `decode.arrivals`."""
    partition: NDArray[np.int64]
    offset: NDArray[np.int64]

    @property
    def columns(self) -> Columns:
        return self.place, self.ts, self.value

    def only(self, chosen: NDArray[np.bool_] | slice) -> Readings:
        """The readings that a mask or slice chooses."""
        return Readings(
            self.place[chosen],
            self.ts[chosen],
            self.value[chosen],
            self.arrival[chosen],
            self.partition[chosen],
            self.offset[chosen],
        )


def joined(by_shard: Mapping[int, Readings]) -> Readings:
    """The readings of several shards as one, in the order of the shards."""
    if len(by_shard) == 1:
        return next(iter(by_shard.values()))
    columns = zip(*(by_shard[shard] for shard in sorted(by_shard)), strict=True)
    return Readings(*(np.concatenate(parts) for parts in columns))


def counted(
    owner: NDArray[np.int64], by_ms: NDArray[np.int64], name_of: Callable[[int], str]
) -> dict[str, tuple[int, int]]:
    """Asset -> the number of its readings, and the largest of their `by_ms`. `owner`: [N]; `name_of`: its asset."""
    owners, index, counts = np.unique(owner, return_inverse=True, return_counts=True)
    most = np.full(len(owners), np.iinfo(np.int64).min)
    np.maximum.at(most, index, by_ms)
    by_asset: dict[str, tuple[int, int]] = {}
    for number, count, largest in zip(owners.tolist(), counts.tolist(), most.tolist(), strict=True):
        earlier, by = by_asset.get(asset := name_of(number), (0, largest))
        by_asset[asset] = earlier + count, max(by, largest)
    return by_asset


@dataclass
class Share:
    """The part of a batch that one task receives."""

    readings: dict[int, Readings] = field(default_factory=dict)
    """By shard."""
    letters: list[tuple[str, bytes]] = field(default_factory=list)
    """(reason, record) of each rejected message."""
    unknown_tags: dict[Key, UnknownTag] = field(default_factory=dict)
    future: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Asset -> its readings that were refused because they lie in the future, and how far (ms) at most."""
    heard: Heard = field(default_factory=dict)
    """What the decoder has read since its last share for this task."""
