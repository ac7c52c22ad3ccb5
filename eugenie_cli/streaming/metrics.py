"""The stream job's metrics, from Flink's REST API: rates, event time, operator load, the job's own counters.

Rates are Flink's averages of the last minute. Counters begin at 0 when the job starts or restarts.

A request makes Flink fetch figures from its processes, but is answered with those of the previous fetch. So `fetch`
repeats the request until the answer is fresh, and returns its age.
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
from eugenie_cli.streaming.asset_reports import METRIC

CALLS, WINDOWS, MILLIS = "predictCalls", "predictWindows", "predictMillis"
DEAD_LETTERS = "deadLetters_"
IGNORED, REPEATED, CONFLICTS = "ignoredReadings", "repeatedReadings", "conflictingReadings"

RUNNING_TIME = "runningTime"
"""How long the job had been running when its figures were fetched, in ms."""

_IN, _OUT = "numRecordsInPerSecond", "numRecordsOutPerSecond"
_BUSY, _BACK_PRESSURED = "busyTimeMsPerSecond", "backPressuredTimeMsPerSecond"
_WATERMARK = "currentInputWatermark"
_SOURCE = re.compile(rf"Source__[^.]*\.{_IN}")
_SCORES = re.compile(rf"scores\b[^.]*Writer[^.]*\.{_OUT}")
_COUNTER = re.compile(rf"\.({CALLS}|{WINDOWS}|{MILLIS}|{IGNORED}|{REPEATED}|{CONFLICTS}|{DEAD_LETTERS}[\w-]+)$")

FRESH_S = 2.0
"""Figures up to this age count as fresh: rates are averages of a minute."""
FETCHED_WITHIN_S = 5.0
"""How long to wait for fresh figures. A cluster's `metrics.fetcher.update-interval`, by default 10 s, may be longer."""
STALE_S = 15.0
"""Figures above this age are stale: they are older than the default update interval."""
FETCH_POLL_S = 0.25

NO_WATERMARK = -(2**63)
END_OF_TIME = 253_402_300_799_999
"""The last instant of the year 9999: a later watermark belongs to a drained stream."""


_STEPS = {"read": r"^Source: ", "decode": r"^PythonCalc", "detect": r"^detect$", "write": r": (?:Writer|Committer)$"}
"""What the job does -> the names of Flink's operators that do it."""


@dataclass(frozen=True)
class OperatorLoad:
    """A chain of operators that run as one task. Shares are those of its busiest subtask, 0 to 1; None: unknown."""

    name: str
    """Its steps, such as `detect, write`."""
    parallelism: int
    busy: float | None
    back_pressured: float | None
    records_in_per_s: float
    records_out_per_s: float


@dataclass(frozen=True)
class JobMetrics:
    """The figures that the job's tasks report."""

    readings_per_s: float = 0.0
    scores_per_s: float = 0.0
    watermark_ms: int | None = None
    """Event time, ms since 1970 UTC; None before the first reading, and after the last of a drained stream."""
    predict_calls: int = 0
    predict_windows: int = 0
    predict_ms: int = 0
    dead_letters: dict[str, int] = field(default_factory=dict)
    ignored_readings: int = 0
    """Of tags that the site does not have, with `unknown: ignore`; includes earlier runs whose state was resumed."""
    repeated_readings: int = 0
    """That repeated the last one of their sensor after its row was made; includes earlier runs, as above."""
    conflicting_readings: int = 0
    """Good readings of which the rows took another one of the same sensor and instant, larger or earlier."""
    operators: tuple[OperatorLoad, ...] = ()
    of_assets: dict[str, float] = field(default_factory=dict)
    """Figures of single assets, by the names of their metrics: see `asset_reports`."""


def fetch(rest: FlinkRest, job_id: str, within_s: float = FETCHED_WITHIN_S) -> float | None:
    """Have Flink fetch a running job's figures. Returns their age in seconds; None if unknown.

    The age is the job's running time by Flink's clock, minus the running time in the figures. The figures of a hanging
    TaskManager are older: see `unheard_s`. Raises EugenieError.
    """
    deadline = time.monotonic() + within_s
    while True:
        running_ms = rest.job_metrics(job_id, [RUNNING_TIME]).get(RUNNING_TIME)  # the request starts the fetch
        job = rest.job(job_id)
        if job is None:
            return None
        age = None if running_ms is None else max(0.0, (job["now"] - job["timestamps"]["RUNNING"] - running_ms) / 1000)
        if (age is not None and age <= FRESH_S) or time.monotonic() > deadline:
            return None if age is None else round(age, 3)
        time.sleep(FETCH_POLL_S)


def unheard_s(rest: FlinkRest, job: Mapping[str, Any]) -> float:
    """Seconds since the oldest of the TaskManagers' last heartbeats; 0 while that is normal."""
    longest = max(((job["now"] - at) / 1000 for at in rest.heartbeats()), default=0.0)
    return longest if longest > STALE_S else 0.0


def read_metrics(rest: FlinkRest, job: dict[str, Any]) -> JobMetrics:
    """Read the metrics of a job. `job`: as `FlinkRest.job` returns it. Raises EugenieError."""
    readings = scores = 0.0
    counts: Counter[str] = Counter()
    watermarks: list[int] = []
    loads = []
    of_assets: dict[str, float] = {}
    for vertex in job["vertices"]:
        metrics = rest.metrics(job["jid"], vertex["id"], _is_used)
        loads.append(_load(vertex, metrics))
        readings += sum(metric.total for name, metric in metrics.items() if _SOURCE.fullmatch(name))
        scores += sum(metric.total for name, metric in metrics.items() if _SCORES.fullmatch(name))
        for name, metric in metrics.items():
            if METRIC.search(name):
                of_assets[name] = metric.total
            counter = _COUNTER.search(name)
            if counter is not None:
                counts[counter[1]] += int(metric.total)
        if _WATERMARK in metrics and NO_WATERMARK < metrics[_WATERMARK].least <= END_OF_TIME:
            watermarks.append(int(metrics[_WATERMARK].least))
    letters = {reason: counts[DEAD_LETTERS + reason] for reason in REASONS if counts[DEAD_LETTERS + reason]}
    return JobMetrics(
        readings_per_s=readings,
        scores_per_s=scores,
        watermark_ms=min(watermarks, default=None),
        predict_calls=counts[CALLS],
        predict_windows=counts[WINDOWS],
        predict_ms=counts[MILLIS],
        dead_letters=letters,
        ignored_readings=counts[IGNORED],
        repeated_readings=counts[REPEATED],
        conflicting_readings=counts[CONFLICTS],
        operators=tuple(loads),
        of_assets=of_assets,
    )


def _is_used(name: str) -> bool:
    return (
        name in (_IN, _OUT, _BUSY, _BACK_PRESSURED, _WATERMARK)
        or _COUNTER.search(name) is not None
        or METRIC.search(name) is not None
        or _SOURCE.fullmatch(name) is not None
        or _SCORES.fullmatch(name) is not None
    )


def steps_of(chain: str) -> str:
    """The steps of a chain by its name in Flink; that name if none of them is in it."""
    operators = [part.strip() for part in re.split(r"->|[(),]", chain)]
    steps = [step for step, name in _STEPS.items() if any(re.search(name, operator) for operator in operators)]
    return ", ".join(steps) or chain


def _load(vertex: dict[str, Any], metrics: dict[str, Metric]) -> OperatorLoad:
    def share(name: str) -> float | None:
        most = metrics[name].most if name in metrics else math.nan
        return None if math.isnan(most) else round(most / 1000, 3)

    def rate(name: str) -> float:
        return round(metrics[name].total, 3) if name in metrics else 0.0

    return OperatorLoad(
        name=steps_of(vertex["name"]),
        parallelism=vertex["parallelism"],
        busy=share(_BUSY),
        back_pressured=share(_BACK_PRESSURED),
        records_in_per_s=rate(_IN),
        records_out_per_s=rate(_OUT),
    )
