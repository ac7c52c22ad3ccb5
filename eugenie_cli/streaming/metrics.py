"""The stream job's metrics, from Flink's REST API: rates, event time, the load of each operator, the job's own counts.

Rates are Flink's own, averages of the last minute. Counts begin at 0 when the job is started or restarted.

Flink fetches the figures from its processes only when somebody asks, and answers with those that it has, of the last
time that somebody asked. So `fetch` asks until the answer is fresh, and says how old it is.
"""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eugenie_cli.engines.flink_rest import FlinkRest, Metric
from eugenie_cli.readings.reject_reasons import REASONS

CALLS, WINDOWS, MILLIS = "predictCalls", "predictWindows", "predictMillis"
DEAD_LETTERS = "deadLetters_"

RUNNING_TIME = "runningTime"
"""How long a job has been running, in ms, when its figures were fetched."""

_IN, _OUT = "numRecordsInPerSecond", "numRecordsOutPerSecond"
_BUSY, _BACK_PRESSURED = "busyTimeMsPerSecond", "backPressuredTimeMsPerSecond"
_WATERMARK = "currentInputWatermark"
_SOURCE = re.compile(rf"Source__[^.]*\.{_IN}")
_SCORES = re.compile(rf"scores\b[^.]*Writer[^.]*\.{_OUT}")
_COUNTER = re.compile(rf"\.({CALLS}|{WINDOWS}|{MILLIS}|{DEAD_LETTERS}[\w-]+)$")

FRESH_S = 2.0
"""Figures of this age are as good as new: rates are averages of a minute."""
FETCHED_WITHIN_S = 5.0
"""How long to wait for fresh figures. A cluster's `metrics.fetcher.update-interval`, by default 10 s, may be longer."""
STALE_S = 15.0
"""Figures of this age are called stale: more than that interval has gone by."""
FETCH_POLL_S = 0.25

NO_WATERMARK = -(2**63)
END_OF_TIME = 253_402_300_799_999
"""The last instant of the year 9999: a watermark beyond it is that of a drained stream."""


@dataclass(frozen=True)
class OperatorLoad:
    """A chain of operators that run as one task. Shares are of its busiest subtask, 0 to 1; None: not known."""

    name: str
    parallelism: int
    busy: float | None
    back_pressured: float | None
    records_in_per_s: float
    records_out_per_s: float


@dataclass(frozen=True)
class JobMetrics:
    """What the job's tasks say of themselves."""

    readings_per_s: float = 0.0
    scores_per_s: float = 0.0
    watermark_ms: int | None = None
    """Event time, ms since 1970 UTC; None before the first reading, and after the last of a drained stream."""
    predict_calls: int = 0
    predict_windows: int = 0
    predict_ms: int = 0
    dead_letters: dict[str, int] = field(default_factory=dict)
    operators: tuple[OperatorLoad, ...] = ()


def fetch(rest: FlinkRest, job_id: str, within_s: float = FETCHED_WITHIN_S) -> float | None:
    """Have Flink fetch a running job's figures; returns their age in seconds, or None when that is not known.

    The age is what Flink's clock says by now, less what the figures themselves say: how long the job has been running.
    Those of a TaskManager that hangs are older: see `unheard_s`. Raises EugenieError.
    """
    deadline = time.monotonic() + within_s
    while True:
        told = rest.job_metrics(job_id, [RUNNING_TIME]).get(RUNNING_TIME)  # asking starts the fetch
        job = rest.job(job_id)
        if job is None:
            return None
        age = None if told is None else max(0.0, (job["now"] - job["timestamps"]["RUNNING"] - told) / 1000)
        if (age is not None and age <= FRESH_S) or time.monotonic() > deadline:
            return None if age is None else round(age, 3)
        time.sleep(FETCH_POLL_S)


def unheard_s(rest: FlinkRest, job: Mapping[str, Any]) -> float:
    """Seconds since the JobManager heard the TaskManager that it has not heard for longest; 0 while that is usual."""
    longest = max(((job["now"] - at) / 1000 for at in rest.heartbeats()), default=0.0)
    return longest if longest > STALE_S else 0.0


def read_metrics(rest: FlinkRest, job: dict[str, Any]) -> JobMetrics:
    """Ask for the metrics of a job that `FlinkRest.job` described. Raises EugenieError."""
    readings = scores = 0.0
    counts: Counter[str] = Counter()
    watermarks: list[int] = []
    loads = []
    for vertex in job["vertices"]:
        found = rest.metrics(job["jid"], vertex["id"], _wanted)
        loads.append(_load(vertex, found))
        readings += sum(metric.total for name, metric in found.items() if _SOURCE.fullmatch(name))
        scores += sum(metric.total for name, metric in found.items() if _SCORES.fullmatch(name))
        for name, metric in found.items():
            counter = _COUNTER.search(name)
            if counter is not None:
                counts[counter[1]] += int(metric.total)
        if _WATERMARK in found and NO_WATERMARK < found[_WATERMARK].least <= END_OF_TIME:
            watermarks.append(int(found[_WATERMARK].least))
    letters = {reason: counts[DEAD_LETTERS + reason] for reason in REASONS if counts[DEAD_LETTERS + reason]}
    return JobMetrics(
        readings_per_s=readings,
        scores_per_s=scores,
        watermark_ms=min(watermarks, default=None),
        predict_calls=counts[CALLS],
        predict_windows=counts[WINDOWS],
        predict_ms=counts[MILLIS],
        dead_letters=letters,
        operators=tuple(loads),
    )


def _wanted(name: str) -> bool:
    return (
        name in (_IN, _OUT, _BUSY, _BACK_PRESSURED, _WATERMARK)
        or _COUNTER.search(name) is not None
        or _SOURCE.fullmatch(name) is not None
        or _SCORES.fullmatch(name) is not None
    )


def _load(vertex: dict[str, Any], found: dict[str, Metric]) -> OperatorLoad:
    def share(name: str) -> float | None:
        most = found[name].most if name in found else math.nan
        return None if math.isnan(most) else round(most / 1000, 3)

    def rate(name: str) -> float:
        return round(found[name].total, 3) if name in found else 0.0

    return OperatorLoad(
        name=vertex["name"],
        parallelism=vertex["parallelism"],
        busy=share(_BUSY),
        back_pressured=share(_BACK_PRESSURED),
        records_in_per_s=rate(_IN),
        records_out_per_s=rate(_OUT),
    )
