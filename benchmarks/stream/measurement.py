"""How the speed of the stream benchmark's jobs is measured, of all in the same way: from their results.

The broker stamps each record as it takes it, so two stamps bound a time, and the records between them say how many
readings they account for. No consumer runs meanwhile.
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
"""Parts of the time, at either end, in which a measurement may begin or end: longer than bursts are apart."""


class Result(NamedTuple):
    """A record of a job's results: when the broker took it (seconds since 1970), and what it accounts for."""

    taken: float
    readings: int
    scored: bool
    ts: str | int
    """The row's edge, as the job wrote it; empty where the record is no row."""


@dataclass(frozen=True)
class Pace:
    """Readings that were accounted for in `seconds` of the wall clock, and CPU seconds meanwhile.

    `cpu` by engine, `operators` by Flink's operators where threads tell them apart; both have the same sum.
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
        """CPU seconds for a million readings, the most expensive first."""
        return {
            name: used / self.readings * 1e6 for name, used in sorted(cpu.items(), key=lambda each: -each[1]) if used
        }


def results(site: Site, topic: str) -> list[Result]:
    """All committed records of a topic of scores."""
    found = []
    for one in consume.read(site, topic, until_end=True):
        record = orjson.loads(one.value or b"{}")
        readings = record["readings"] + record.get("bad_quality", 0)
        found.append(Result(one.timestamp_ms / 1000, readings, record.get("score") is not None, record.get("ts", "")))
    return found


def pace(found: Sequence[Result], meter: Meter, first: Callable[[Result], bool], share: float = 1.0) -> Pace:
    """Between two instants near the first result that `first` accepts and near the last; of the last `share` of that.

    A job may hand out its results in bursts, and what is in a burst was worked for before it. So both instants are ends
    of bursts: of the stamps near either end, the one that the longest silence follows. The last burst is left out: the
    job is then as full of readings at the end as at the beginning. Raises ValueError when all came at once.
    """
    stamps = np.unique([one.taken for one in found])
    begin = min(one.taken for one in found if first(one))
    end = float(stamps[-1])
    begin = end - share * (end - begin)
    margin = min(max(MARGIN * (end - begin), 2 * float(np.diff(stamps).max(initial=0))), LARGEST_MARGIN * (end - begin))
    begin = _burst_end(stamps, begin, begin + margin)
    if begin >= end:
        raise ValueError("all results came at once: measure more readings")
    before_last = _burst_end(stamps, end - margin, float(stamps[-2]))
    end = before_last if before_last > begin else end
    readings = sum(one.readings for one in found if begin < one.taken <= end)
    return Pace(readings, end - begin, meter.cpu(begin, end), meter.operators(begin, end))


def _burst_end(stamps: np.ndarray, early: float, late: float) -> float:
    """Of the stamps from `early` to `late` the one that the longest silence follows; the one before, if none is."""
    near = (stamps[:-1] >= early) & (stamps[:-1] <= late)
    if near.any():
        return float(stamps[np.argmax(np.where(near, np.diff(stamps), -1.0))])
    return float(stamps[stamps <= late][-1])
