"""Takes the savepoint of a stop, unless the job cannot give one: then `stop` must not wait for it."""

from __future__ import annotations

import time

from eugenie_cli.engines.flink_rest import ENDED, POLL_S, FlinkRest, SavepointError, SavepointTimeoutError, state_of
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.progress import Progress
from eugenie_cli.streaming import crash_loop

RUNS_WITHIN_S = 60.0
"""A job that restarts after one failure runs again within a minute, even on a busy machine."""

REGISTERS_WITHIN_S = 15.0
"""The supervisor restarts a dead TaskManager within seconds."""

TAKEN_WITHIN_S = 120.0
"""A savepoint takes seconds. It waits as long as a task waits for the model server, which may be unreachable."""

DRAINED_WITHIN_S = 180.0
"""A drain scores the last rows and commits them: seconds, like a savepoint."""

RUNNING = "RUNNING"


def hindrance(rest: FlinkRest, job_id: str, progress: Progress, within_s: float = RUNS_WITHIN_S) -> str:
    """Why no savepoint of a job can be taken; empty when its tasks run, for which this waits. Raises EugenieError."""
    began = time.monotonic()
    with progress.task("waiting for the job to run"):
        while True:
            job = rest.job(job_id)
            state = "UNKNOWN" if job is None else state_of(job)
            if state == RUNNING or state in ENDED:
                return ""
            loop = crash_loop.of(rest, job_id)
            if loop is not None:
                return str(loop)
            waited = time.monotonic() - began
            if waited >= REGISTERS_WITHIN_S and not rest.task_managers():
                return "Flink has no TaskManager"
            if waited >= within_s:
                return f"it has been {state} for {within_s:.0f} s, so not all of its tasks run"
            time.sleep(POLL_S)


def take(rest: FlinkRest, job_id: str, folder: str, progress: Progress) -> tuple[str | None, str]:
    """Stop a job with a savepoint. Returns its location and "", or None and why the job gives none.

    Raises SavepointError when Flink cannot store the savepoint and the job runs on.
    """
    try:
        with progress.task("taking a savepoint"):
            return rest.stop(job_id, folder, False, TAKEN_WITHIN_S), ""
    except KeyboardInterrupt:
        progress.say(f"interrupted: Flink still stops the job {job_id}; check with `eugenie stream status`")
        raise
    except SavepointTimeoutError as error:
        return None, f"{error.reason}: a task may be waiting for the model server"
    except SavepointError as error:
        why = hindrance(rest, job_id, progress)  # the job may have failed in the meantime
        if not why:
            raise
        return None, f"{error.reason}; {why}"


def drain(rest: FlinkRest, job_id: str, folder: str, progress: Progress) -> str:
    """End a stream; returns the location of its last savepoint.

    Raises SavepointError when Flink refused and the job runs on; after SavepointTimeoutError the drain may still end.
    """
    try:
        with progress.task("draining the stream"):
            return rest.stop(job_id, folder, True, DRAINED_WITHIN_S)
    except KeyboardInterrupt:
        progress.say(f"interrupted: Flink still drains the job {job_id}; check with `eugenie stream status`")
        raise
    except SavepointTimeoutError:
        raise SavepointTimeoutError(
            f"the job {job_id} has not finished its last rows within {DRAINED_WITHIN_S:.0f} s; Flink continues to drain"
            " it",
            "it may be waiting for the model server (`eugenie serve status`); `stream stop --no-savepoint` gives the"
            " drain up: the job ends at once, and the next one resumes from its last checkpoint",
        ) from None


def cannot_drain(job_id: str, why: str) -> EugenieError:
    """A stream ends properly only if its job can finish its rows."""
    return EugenieError(
        f"the job {job_id} cannot be drained: {why}",
        "correct the cause first; or `eugenie stream stop` ends the job at once, and the next one resumes from its last"
        " checkpoint",
        ExitCode.REFUSED,
    )
