"""Waits until a new job has completed a checkpoint: only then has it read, kept its state, and can be resumed."""

from __future__ import annotations

import time
from typing import Any

from eugenie_cli.engines.flink_rest import ENDED, POLL_S, FlinkRest, state_of
from eugenie_cli.errors import EugenieError
from eugenie_cli.progress import Progress
from eugenie_cli.streaming import crash_loop
from eugenie_cli.streaming.stack_trace import summary

WITHIN_S = 150.0
"""A job runs after about five seconds, and a checkpoint takes less than one; on a busy machine both take a minute."""

RUNNING = "RUNNING"


def wait(rest: FlinkRest, job_id: str, progress: Progress, within_s: float = WITHIN_S) -> int:
    """Wait until all tasks of a job run and its first checkpoint is complete, which is requested at once.

    Returns how many attempts failed before: Flink counts those that it makes while tasks start, and which cannot work.
    Raises EugenieError, with the cause, when the job ends or fails repeatedly before, or takes too long.
    """
    deadline = time.monotonic() + within_s
    try:
        with progress.task("waiting for the job to run"):
            while (state := _state(rest, job_id)) != RUNNING:
                _check(rest, job_id, state)
                if time.monotonic() >= deadline:
                    raise _late(rest, job_id, state, {}, within_s)
                time.sleep(POLL_S)
        with progress.task("waiting for its first checkpoint"):
            _request(rest, job_id)
            while not (statistics := rest.checkpoints(job_id))["counts"]["completed"]:
                _check(rest, job_id, state)
                if time.monotonic() >= deadline:
                    raise _late(rest, job_id, state, statistics, within_s)
                time.sleep(POLL_S)
                state = _state(rest, job_id)
        return int(statistics["counts"]["failed"])
    except KeyboardInterrupt:
        progress.say(
            f"interrupted: the job {job_id} was submitted and keeps running, but has not yet completed a checkpoint;"
            " check with `eugenie stream status`"
        )
        raise


def _state(rest: FlinkRest, job_id: str) -> str:
    job = rest.job(job_id)
    return "UNKNOWN" if job is None else state_of(job)


def _request(rest: FlinkRest, job_id: str) -> None:
    try:
        rest.trigger_checkpoint(job_id)
    except EugenieError:  # a task has just failed, or the cluster allows no such request: the interval will do it
        return


def _check(rest: FlinkRest, job_id: str, state: str) -> None:
    """Raise EugenieError when a job has ended or fails repeatedly."""
    if state == RUNNING:
        return
    if state in ENDED:
        failed = rest.last_failure(job_id)
        cause = f": {summary(failed[1])}" if failed is not None else ""
        raise EugenieError(
            f"the job {job_id} is {state} before its first checkpoint{cause}",
            f"see {_page(rest, job_id)} and `eugenie stream logs`; the next `eugenie stream submit` starts where this"
            " one started",
        )
    loop = crash_loop.of(rest, job_id)
    if loop is not None:
        raise EugenieError(
            f"the job {job_id} fails again and again, without a first checkpoint: {loop.cause}",
            "Flink keeps restarting it. If the cause remains: `eugenie stream stop`, correct it,"
            f" then `eugenie stream submit`, which starts where this job started; see {_page(rest, job_id)} and"
            " `eugenie stream logs`",
        )


def _late(rest: FlinkRest, job_id: str, state: str, statistics: dict[str, Any], within_s: float) -> EugenieError:
    failed = ((statistics.get("latest") or {}).get("failed") or {}).get("failure_message")
    last = None if state in ("INITIALIZING", "UNKNOWN") else rest.last_failure(job_id)
    cause = failed or (summary(last[1]) if last is not None else "")
    what = "runs, but has not completed its first checkpoint" if state == RUNNING else f"does not run: it is {state}"
    return EugenieError(
        f"the job {job_id} {what} after {within_s:.0f} s{f': {cause}' if cause else ''}",
        f"`eugenie stream status` shows what it waits for; see {_page(rest, job_id)} and `eugenie stream logs`",
    )


def _page(rest: FlinkRest, job_id: str) -> str:
    return f"{rest.address}/#/job/{job_id}/exceptions"
