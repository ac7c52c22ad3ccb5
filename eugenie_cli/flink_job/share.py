"""What one decoder sends to one task: readings in columns, dead letters, counts of unknown tags. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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
    heard: tuple[int, ...] = ()
    """Partitions from which the decoder has read records since its last share for this task."""
