"""A job that fails again and again: Flink restarts it each time, but it makes no progress."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eugenie_cli.engines.flink_rest import FlinkRest
from eugenie_cli.streaming.stack_trace import summary

TIMES = 2
"""Failures without a completed checkpoint in between. One may have a cause that is gone: a killed worker, a broker that
restarts."""

RECENT_MS = 120_000
"""Age of the last failure at most. Flink's pauses between restarts grow to 30 s, and a start takes seconds."""

_CONSEQUENCE = re.compile("NoResourceAvailable|TaskExecutor is shutting down|TaskManager .* no longer reachable")
"""Failures that follow from another one, which has ended a TaskManager."""


@dataclass(frozen=True)
class CrashLoop:
    """`failures`: since the last completed checkpoint. `cause`: of the last one that has its own, in a line or two."""

    failures: int
    cause: str

    def __str__(self) -> str:
        return f"it has failed {self.failures} times since its last checkpoint: {self.cause}"


def of(rest: FlinkRest, job_id: str) -> CrashLoop | None:
    """The crash loop of a job; None if it makes progress, or is unknown to the cluster. Raises EugenieError."""
    job = rest.job(job_id)
    if job is None or job["state"] == "INITIALIZING":  # until its JobMaster exists, Flink refuses further queries
        return None
    return find(rest.failures(job_id), rest.checkpoints(job_id), job["now"])


def find(failures: Sequence[tuple[int, str]], checkpoints: Mapping[str, Any], now_ms: int) -> CrashLoop | None:
    """`of`, from Flink's answers: failures (when, stack trace), newest first, and the statistics of checkpoints."""
    since = [(at, trace) for at, trace in failures if at > last_completed_ms(checkpoints)]
    if len(since) < TIMES or now_ms - since[0][0] > RECENT_MS:
        return None
    causes = [summary(trace) for _, trace in since]
    return CrashLoop(len(since), next((cause for cause in causes if not _CONSEQUENCE.search(cause)), causes[0]))


def last_completed_ms(checkpoints: Mapping[str, Any]) -> int:
    """When the last checkpoint was completed, ms since 1970 UTC; 0 if none was."""
    latest = (checkpoints.get("latest") or {}).get("completed") or {}
    return int(latest.get("latest_ack_timestamp") or 0)
