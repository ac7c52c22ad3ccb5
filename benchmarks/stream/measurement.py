"""The speed of the stream benchmark's jobs, measured in the same way for all: from their results.

The broker stamps each record that it accepts. So two stamps bound a period, and the records between them account for a
number of readings. No consumer runs in the meantime.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import orjson

from benchmarks.stream.meter import Meter
from eugenie_cli.broker import consume
from eugenie_cli.site.schema import Site

MARGIN, LARGEST_MARGIN = 0.05, 0.25
"""Shares of the time, at either end, in which a measurement may start or end: longer than the gap between bursts."""


class Result(NamedTuple):
    """A record of a job's results: when the broker accepted it (seconds since 1970), and its readings."""

    taken: float
    readings: int
    scored: bool
    ts: str | int
    """The row's edge, as the job wrote it; empty if the record is not a row."""


@dataclass(frozen=True)
class Pace:
    """Readings accounted for in `seconds` of the wall clock, and CPU seconds in that time.

    `cpu` by engine, `operators` by Flink's operators as far as threads distinguish them; both have the same sum.
    """

    readings: int
    seconds: float
    cpu: Mapping[str, float]
    operators: Mapping[str, float]

    @property
    def readings_per_s(self) -> float:
        return self.readings / self.seconds

    @property
    def cpu_s(self) -> float:
        return sum(self.cpu.values())

    @property
    def readings_per_cpu_s(self) -> float:
        return self.readings / self.cpu_s

    def per_million(self, cpu: Mapping[str, float]) -> dict[str, float]:
        """CPU seconds per million readings, the most expensive first."""
        return {
            name: used / self.readings * 1e6 for name, used in sorted(cpu.items(), key=lambda entry: -entry[1]) if used
        }


def results(site: Site, topic: str) -> list[Result]:
    """All committed records of a topic of scores."""
    read = []
    for message in consume.read(site, topic, until_end=True):
        record = orjson.loads(message.value or b"{}")
        readings = record["readings"] + record.get("bad_quality", 0)
        scored = record.get("score") is not None
        read.append(Result(message.timestamp_ms / 1000, readings, scored, record.get("ts", "")))
    return read


def pace(records: Sequence[Result], meter: Meter, first: Callable[[Result], bool], share: float = 1.0) -> Pace:
    """The pace between the first result that `first` accepts and the last one, or over the last `share` of that time.

    A job may write its results in bursts, and the work for a burst comes before it. So both instants are ends of
    bursts: of the stamps near either end, the one followed by the longest silence. The last burst is left out, so that
    the job contains as many readings at the end as at the start. Raises ValueError if all results came at once.
    """
    stamps = np.unique([result.taken for result in records])
    begin = min(result.taken for result in records if first(result))
    end = float(stamps[-1])
    begin = end - share * (end - begin)
    margin = min(max(MARGIN * (end - begin), 2 * float(np.diff(stamps).max(initial=0))), LARGEST_MARGIN * (end - begin))
    begin = _burst_end(stamps, begin, begin + margin)
    if begin >= end:
        raise ValueError("all results came at once: measure more readings")
    before_last = _burst_end(stamps, end - margin, float(stamps[-2]))
    end = before_last if before_last > begin else end
    readings = sum(result.readings for result in records if begin < result.taken <= end)
    return Pace(readings, end - begin, meter.cpu(begin, end), meter.operators(begin, end))


def _burst_end(stamps: np.ndarray, early: float, late: float) -> float:
    """The stamp from `early` to `late` that is followed by the longest silence; if there is none, the one before."""
    near = (stamps[:-1] >= early) & (stamps[:-1] <= late)
    if near.any():
        return float(stamps[np.argmax(np.where(near, np.diff(stamps), -1.0))])
    return float(stamps[stamps <= late][-1])
