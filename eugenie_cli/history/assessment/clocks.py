"""Signs of wrong clocks and time zones: hours that are missing or double when clocks change, and steps of a logger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta, timezone
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.history.assessment.findings import Finding, instant, lasting
from eugenie_cli.history.assessment.measurements import Block, Measurements
from eugenie_cli.history.assessment.statistics import Statistics

HOUR = 3_600_000
# Slower readings do not show whether an hour is missing.
SLOWEST = HOUR // 6
# A double hour has at least this many times the usual readings.
DOUBLE = 1.6
# Readings are regular if the 5th to 95th percentile of their intervals spread over at most this share of the median.
REGULAR = 0.2
# A step of a clock moves the readings by more than this share of their period and this many ms...
SHIFT, LEAST_SHIFT_MS = 0.1, 50
# ...while the intervals before and after it are this regular.
STEADY = 0.05
# At least this share of an asset's sensors must agree.
AGREEING = 0.5


def clock_findings(
    block: Block, wanted: Measurements, stats: Statistics, class_of: Mapping[str, str], zone: str
) -> Iterator[Finding]:
    """The findings in a block. `stats`: the block's; `zone`: the site's."""
    if not len(block.ts):
        return
    asset_of = _asset_numbers(block, wanted)
    names = [asset for asset, (first, last) in wanted.of_asset.items() if block.first <= first and last <= block.last]
    sensors = np.bincount(asset_of, stats.readings > 0, minlength=len(names))

    def agreed(index: NDArray[np.int64]) -> list[int]:
        """Assets of which enough sensors are among these measurements."""
        affected = np.bincount(asset_of[np.unique(index)], minlength=len(names))
        return np.flatnonzero((affected > 0) & (affected >= AGREEING * sensors)).tolist()

    long = _hour_long(block, stats)
    for hour in _hours(int(block.ts.min()), int(block.ts.max()), zone):
        for number in agreed(_missing(block, stats, long, hour.start)):
            text = (
                f"{names[number]}: an hour without readings from {instant(hour.start)}, when clocks change {hour.where}"
            )
            yield _finding("missing-hour", class_of, names[number], text)
        for number in agreed(_double(block, stats, hour.start)) if hour.back else ():
            text = f"{names[number]}: a double hour from {instant(hour.start)}, when clocks change {hour.where}"
            yield _finding("double-hour", class_of, names[number], text)
    index, when, shift = _steps(block, stats)
    for number in agreed(index):
        own = asset_of[index] == number
        text = (
            f"{names[number]}: its clock steps {len(np.unique(when[own] // 1_000)):,} times, first by "
            f"{lasting(abs(shift[own][0]))} at {instant(when[own][0])}"
        )
        step = "synchronise the logger's clock; short steps do no harm"
        yield Finding("clock-step", "note", class_of[names[number]], names[number], None, text, step)


def _finding(kind: str, class_of: Mapping[str, str], asset: str, text: str) -> Finding:
    step = "check `timezone` of the source's `ts`: does the logger's clock follow summer time?"
    return Finding(kind, "doubtful", class_of[asset], asset, None, text, step)


def _asset_numbers(block: Block, wanted: Measurements) -> NDArray[np.int64]:
    """int64 [K]: each measurement's asset, numbered in the block."""
    sizes = [last - first for first, last in wanted.of_asset.values() if block.first <= first and last <= block.last]
    return np.repeat(np.arange(len(sizes)), sizes)


class _Hour(NamedTuple):
    """An hour (ms) that is missing or, where clocks go back, double if the time zone of the readings is wrong."""

    start: int
    where: str
    back: bool


def _hours(start: int, end: int, zone: str) -> list[_Hour]:
    hours: dict[int, _Hour] = {}
    for year in range(_date(start).year, _date(end).year + 1):
        for day, where, back in _change_days(year):
            midnight = int(datetime(day.year, day.month, day.day, tzinfo=timezone.utc).timestamp()) * 1_000
            for hour in range(midnight, midnight + 4 * HOUR, HOUR):
                hours[hour] = _Hour(hour, where, back)
        for change, back in _changes(year, ZoneInfo(zone)):
            for hour in (change - HOUR, change):
                hours[hour] = _Hour(hour, f"in {zone}", back)
    return sorted(hour for hour in hours.values() if start < hour.start and hour.start + HOUR < end)


def _date(milliseconds: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=milliseconds)).date()


def _change_days(year: int) -> list[tuple[date, str, bool]]:
    """The Sundays on which clocks go forward and back in Europe and North America: a logger may follow them although
    the site file names a zone that does not.
    """
    return [
        (_sunday(date(year, 3, 25)), "in Europe", False),
        (_sunday(date(year, 10, 25)), "in Europe", True),
        (_sunday(date(year, 3, 8)), "in North America", False),
        (_sunday(date(year, 11, 1)), "in North America", True),
    ]


def _sunday(first: date) -> date:
    """The first Sunday from a day on."""
    return first + timedelta(days=(6 - first.weekday()) % 7)


def _changes(year: int, zone: ZoneInfo) -> list[tuple[int, bool]]:
    """Instants (ms) in a year at which a zone's offset changes, and whether clocks go back."""
    begun = datetime(year, 1, 1, tzinfo=timezone.utc)

    def offset(hours: int) -> float:
        return ((begun + timedelta(hours=hours)).astimezone(zone).utcoffset() or timedelta()).total_seconds()

    found = []
    for noon, (before, after) in enumerate(pairwise([offset(24 * day) for day in range(367)])):
        if before != after:
            hour = next(hour for hour in range(24 * noon, 24 * noon + 25) if offset(hour) == after)
            found.append((int((begun + timedelta(hours=hour)).timestamp()) * 1_000, after < before))
    return found


def _hour_long(block: Block, stats: Statistics) -> NDArray[np.int64]:
    """Places of readings after which none comes for about an hour."""
    interval = block.ts[1:] - block.ts[:-1]
    long = (interval >= HOUR // 2) & (interval <= 2 * HOUR) & (block.index[1:] == block.index[:-1])
    places = np.flatnonzero(long)
    usual = stats.median_period[block.index[places]]
    return places[(usual > 0) & (usual <= SLOWEST)]


def _missing(block: Block, stats: Statistics, long: NDArray[np.int64], hour: int) -> NDArray[np.int64]:
    """Measurements whose readings stop at the hour and go on after it."""
    usual = 2 * stats.median_period[block.index[long]]
    begins, ends = np.abs(block.ts[long] - hour), np.abs(block.ts[long + 1] - hour - HOUR)
    return block.index[long[(begins <= usual) & (ends <= usual)]].astype(np.int64)


def _double(block: Block, stats: Statistics, hour: int) -> NDArray[np.int64]:
    """Measurements with far more readings in the hour than in the ones before and after."""
    count = block.last - block.first
    near = (block.ts >= hour - HOUR) & (block.ts < hour + 2 * HOUR)
    place = (block.ts[near] - hour) // HOUR + 1
    counts = np.bincount(block.index[near] * 3 + place, minlength=3 * count).reshape(count, 3)
    disagreeing = np.bincount(block.index[near][(place == 1) & block.conflict[near]], minlength=count)
    usual = np.maximum(counts[:, 0], counts[:, 2])
    fast = (stats.median_period > 0) & (stats.median_period <= SLOWEST)
    return np.flatnonzero(fast & (usual > 0) & (counts[:, 1] + disagreeing >= DOUBLE * usual))


def _steps(block: Block, stats: Statistics) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(measurement, instant, shift in ms) where regular readings go on with another phase."""
    empty = np.zeros(0, np.int64)
    index, ts = block.index, block.ts
    regular = (stats.median_period > 0) & (stats.late - stats.early <= REGULAR * stats.median_period)
    if len(ts) < 4 or not regular.any():
        return empty, empty, empty
    period = np.where(regular, stats.median_period, 1)[index[1:]]
    interval = ts[1:] - ts[:-1]
    shift = interval - (2 * interval + period) // (2 * period) * period  # from the nearest multiple
    size = np.abs(shift)
    steady = size <= STEADY * period
    moved = (size > SHIFT * period) & (size > LEAST_SHIFT_MS) & (interval < 3 * period) & regular[index[1:]]
    inside = np.zeros(len(shift), bool)
    inside[1:-1] = (index[:-3] == index[3:]) & steady[:-2] & steady[2:]
    found = np.flatnonzero(moved & inside)
    return index[1:][found].astype(np.int64), ts[1:][found], shift[found]
