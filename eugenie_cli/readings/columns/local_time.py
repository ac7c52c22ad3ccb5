"""Many local times -> UTC, by `timestamps.utc_offset_ms`, called once per hour instead of once per text."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone, tzinfo

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.readings.columns.runs import mapped
from eugenie_cli.readings.timestamps import utc_offset_ms

REMEMBERED = 100_000
"""Hours whose offset is kept in memory, over eleven years: hostile messages could bring any hour of 10,000 years."""

_HOUR_MS = 3_600_000
_UNCLEAR = np.iinfo(np.int64).min


class LocalTime:
    """The clock of one zone."""

    def __init__(self, zone: tzinfo, ambiguous: str = "reject") -> None:
        """`ambiguous`: as in `timestamps.TimeRule`."""
        self._zone, self._ambiguous = zone, ambiguous
        self._offsets: dict[int, int] = {}

    def to_utc(self, wall: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Local times, ms since 1970 on that clock [N] -> (ms since 1970 UTC [N], mask [N] of the unambiguous ones).

        Every time is ambiguous in an hour in which the offset changes, or that partly occurs twice or never.
        """
        if self._zone is timezone.utc:
            return wall, np.ones(len(wall), bool)
        offset = mapped(wall // _HOUR_MS, self._of_hour)
        clear = offset != _UNCLEAR
        return wall - np.where(clear, offset, 0), clear

    def _of_hour(self, hour: int) -> int:
        """The offset from UTC, in ms, throughout an hour of local time."""
        offset = self._offsets.get(hour)
        if offset is None:
            offset = self._look_up(hour)
            if len(self._offsets) < REMEMBERED:
                self._offsets[hour] = offset
        return offset

    def _look_up(self, hour: int) -> int:
        try:
            start = datetime(1970, 1, 1) + timedelta(hours=hour)
            first = utc_offset_ms(start, self._zone, self._ambiguous)
            last = utc_offset_ms(start + timedelta(hours=1, microseconds=-1), self._zone, self._ambiguous)
        except (ValueError, OverflowError):  # the latter beyond the range of `datetime`
            return _UNCLEAR
        return first if first == last else _UNCLEAR
