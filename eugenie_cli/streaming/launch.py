"""One request to Flink, for a job whose id is known before it is made, whatever becomes of whoever makes it.

A submission takes seconds, in which Ctrl-C, a kill or a lost answer can end it here while Flink goes on with it. So the
record names the job first; and until Flink has answered, every further attempt asks for the same id, of which Flink
takes one job only.
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
"""Words of a refusal after which Flink may have taken the job all the same."""

BEGINS_WITHIN_S = 5.0
"""From a request until its Python program runs: one second on a machine with a load of 10."""

APPEARS_WITHIN_S = 60.0
"""From Flink's refusal of a second job of an id until it shows the first: six seconds where the load was 15."""


def await_interrupted(workspace: Workspace, progress: Progress) -> None:
    """Wait until Flink, on this machine, is through with a request that nobody waits for any more.

    It plans one Python job at a time: a second one beside it makes both fail.
    """
    last = job_record.load(workspace)
    if last is None or last.accepted:
        return
    began = (workspace.run / "stream.json").stat().st_mtime
    with progress.task("waiting for a submission that was interrupted"):
        while 0 <= (age := time.time() - began) < SUBMIT_S and (age < BEGINS_WITHIN_S or _is_planned(workspace)):
            time.sleep(POLL_S)


def _is_planned(workspace: Workspace) -> bool:
    """Whether a Python program of the workspace's own runs, which plans a job."""
    place = f"{workspace.flink.absolute() / 'job'}{os.sep}"
    return any(word.startswith(place) for one in psutil.process_iter(["cmdline"]) for word in one.info["cmdline"] or ())


def counted(rest: FlinkRest, last: JobRecord | None) -> JobRecord | None:
    """The record of the last job that Flink took. Raises EugenieError.

    A submission that was interrupted counts when Flink knows its job, or the job has left a state; otherwise what was
    before it does.
    """
    if last is None or last.accepted:
        return last
    if rest.job(last.job_id) is None and not start_position.left_by(rest, last):
        return last.predecessor()
    return _accepted(last)


def settle(workspace: Workspace, rest: FlinkRest) -> tuple[JobRecord | None, str]:
    """The record that is `counted`, and the id for the next job: that of an interrupted submission is used again."""
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
    """Submit the job of `new`; returns the record of the job that runs, which an earlier request may have started.

    `request` as `FlinkRest.run_jar` takes it, and `jar`. Raises EugenieError when Flink refuses, or does not answer:
    then the record says which job may be there.
    """
    earlier, before = job_record.load(workspace), new.predecessor()
    job_record.save(workspace, new)
    body = {**request, "jobId": new.job_id}
    try:
        rest.run_jar(str(body.pop("jar")), body)
    except KeyboardInterrupt:
        progress.say(f"interrupted: Flink may start the job {new.job_id} all the same; `eugenie stream status` tells")
        raise
    except EugenieError as error:
        if error.exit_code is ExitCode.UNREACHABLE:
            raise
        repeated = earlier is not None and earlier.job_id == new.job_id
        if not _appears(rest, new.job_id, APPEARS_WITHIN_S if repeated else 0.0):
            # where an earlier request may still come through, the next one must ask for the same id
            if not repeated and not any(words in error.reason.lower() for words in UNANSWERED):
                job_record.restore(workspace, before)
            raise
        if repeated and earlier is not None:  # Flink takes one job of an id: the first that came
            progress.say(f"the submission that was interrupted had gone through: its job {new.job_id} runs")
            new = earlier
    new = _accepted(new)
    job_record.save(workspace, new)
    return new


def _appears(rest: FlinkRest, job_id: str, within_s: float) -> bool:
    """Whether Flink shows a job. One of which it has the id, and refuses a second, it may not show for seconds."""
    return wait_until(lambda: rest.job(job_id) is not None, within_s, POLL_S)


def _accepted(last: JobRecord) -> JobRecord:
    return replace(last, accepted=True, before=None)
