"""Submits one job to Flink under an id that is recorded beforehand, so that an interrupted submission can be traced.

A submission takes seconds. Ctrl-C, a kill or a lost answer can end it here while Flink continues with it. The id is
therefore recorded before the request; until Flink has answered, every further attempt uses the same id, and Flink
accepts only one job per id.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import psutil

from eugenie_cli.engines import job_record
from eugenie_cli.engines.flink_rest import POLL_S, SUBMIT_S, FlinkRest
from eugenie_cli.engines.job_record import JobRecord
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.polling import wait_until
from eugenie_cli.progress import Progress
from eugenie_cli.streaming import start_position
from eugenie_cli.workspace import Workspace

UNANSWERED = ("timeout", "timed out")
"""Words in a refusal after which Flink may still have accepted the job."""

BEGINS_WITHIN_S = 5.0
"""From a request until its Python program runs; measured: one second at a load average of 10."""

APPEARS_WITHIN_S = 60.0
"""From Flink's refusal of a second job with the same id until it lists the first; measured: six seconds at a load
average of 15."""


def await_interrupted(workspace: Workspace, progress: Progress) -> None:
    """Wait until Flink, on this machine, has finished with an interrupted submission.

    Flink plans one Python job at a time: with two at once, both fail.
    """
    last = job_record.load(workspace)
    if last is None or last.accepted:
        return
    began = (workspace.run / "stream.json").stat().st_mtime
    with progress.task("waiting for an interrupted submission"):
        while 0 <= (age := time.time() - began) < SUBMIT_S and (age < BEGINS_WITHIN_S or _is_planned(workspace)):
            time.sleep(POLL_S)


def _is_planned(workspace: Workspace) -> bool:
    """Whether a Python program from the workspace is planning a job."""
    folder = f"{workspace.flink.absolute() / 'job'}{os.sep}"
    return any(
        argument.startswith(folder)
        for process in psutil.process_iter(["cmdline"])
        for argument in process.info["cmdline"] or ()
    )


def counted(rest: FlinkRest, last: JobRecord | None) -> JobRecord | None:
    """The record of the last job that Flink accepted. Raises EugenieError.

    An interrupted submission counts if Flink knows its job or the job has left a state; otherwise its predecessor does.
    """
    if last is None or last.accepted:
        return last
    if rest.job(last.job_id) is None and not start_position.left_by(rest, last):
        return last.predecessor()
    return _accepted(last)


def settle(workspace: Workspace, rest: FlinkRest) -> tuple[JobRecord | None, str]:
    """The record chosen by `counted`, and the id for the next job. The id of an interrupted submission is reused."""
    last = job_record.load(workspace)
    counts = counted(rest, last)
    if last is None or last.accepted:
        return counts, uuid.uuid4().hex
    if counts is None or counts.job_id != last.job_id:
        return counts, last.job_id
    job_record.save(workspace, counts)
    return counts, uuid.uuid4().hex


def launch(
    workspace: Workspace, rest: FlinkRest, request: Mapping[str, Any], new: JobRecord, progress: Progress
) -> JobRecord:
    """Submit the job of `new`. Returns the record of the running job, which an earlier request may have started.

    `request`: the body of `FlinkRest.run_jar`, plus `jar`. Raises EugenieError when Flink refuses the job or does not
    answer; in the latter case the record names the job that may exist.
    """
    earlier, before = job_record.load(workspace), new.predecessor()
    job_record.save(workspace, new)
    body = {**request, "jobId": new.job_id}
    try:
        rest.run_jar(str(body.pop("jar")), body)
    except KeyboardInterrupt:
        progress.say(f"interrupted: Flink may still start the job {new.job_id}; check with `eugenie stream status`")
        raise
    except EugenieError as error:
        if error.exit_code is ExitCode.UNREACHABLE:
            raise
        repeated = earlier is not None and earlier.job_id == new.job_id
        if not _appears(rest, new.job_id, APPEARS_WITHIN_S if repeated else 0.0):
            # while an earlier request may still succeed, the next one must use the same id
            if not repeated and not any(phrase in error.reason.lower() for phrase in UNANSWERED):
                job_record.restore(workspace, before)
            raise
        if repeated and earlier is not None:  # Flink accepts one job per id, the first
            progress.say(f"the interrupted submission succeeded: its job {new.job_id} is running")
            new = earlier
    new = _accepted(new)
    job_record.save(workspace, new)
    return new


def _appears(rest: FlinkRest, job_id: str, within_s: float) -> bool:
    """Whether Flink lists a job in time. It may refuse a second job with an id seconds before it lists the first."""
    return wait_until(lambda: rest.job(job_id) is not None, within_s, POLL_S)


def _accepted(last: JobRecord) -> JobRecord:
    return replace(last, accepted=True, before=None)
