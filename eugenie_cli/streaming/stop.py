"""Stop the stream job: with a savepoint to resume from, drained to its end, or at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from eugenie_cli.embedded import endpoints
from eugenie_cli.errors import EugenieError
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.model import Site
from eugenie_cli.streaming import record
from eugenie_cli.streaming.flink_rest import ENDED, FlinkRest, SavepointError
from eugenie_cli.streaming.lag import commit, read_offsets, wait_until_caught_up
from eugenie_cli.streaming.record import JobRecord
from eugenie_cli.streaming.submit import running_job

STOPPED_WITHIN_S = 120.0

SAVEPOINT_DIR = "execution.checkpointing.savepoint-dir"


@dataclass(frozen=True)
class Stopped:
    """What was stopped; `job_id` None when nothing ran. `savepoint`: where `submit` resumes from."""

    job_id: str | None
    savepoint: str | None
    drained: bool


def stop(site: Site, progress: Progress = SILENT, drain: bool = False, savepoint: bool = True) -> Stopped:
    """Stop the site's job if it runs.

    With `drain` the job reads to the end of the topic and event time ends: the last rows are made and scored and open
    anomalies are closed. Such a stream is over: the next submission starts anew, after the last reading that this one
    took. Without `savepoint` the job ends at once, and the next one goes on from its last checkpoint. Raises
    EugenieError.
    """
    with record.changing(workspace_of(site)):
        return stop_here(site, progress, drain, savepoint)


def stop_here(site: Site, progress: Progress = SILENT, drain: bool = False, savepoint: bool = True) -> Stopped:
    """`stop` for a caller that holds `record.changing`."""
    workspace = workspace_of(site)
    read: dict[int, int] = {}
    rest = FlinkRest(endpoints.flink(site))
    job_id = running_job(rest, site)
    if job_id is None:
        progress.say(f"no stream job of {site.site} runs")
        return Stopped(None, None, False)
    known = record.load(workspace)
    if known is None or known.job_id != job_id:
        known = JobRecord(job_id, rest.address)
    if not savepoint:
        rest.cancel(job_id)
        location = None
    else:
        rest.wait(job_id, frozenset({"RUNNING"}), STOPPED_WITHIN_S)
        if drain:
            wait_until_caught_up(site, rest, job_id, progress)
            read = read_offsets(rest, job_id)
            # before it happens: a drain that is interrupted here may end all the same, and is never resumed from
            record.save(workspace, replace(known, drained=True))
        try:
            with progress.task("draining the stream" if drain else "taking a savepoint"):
                location = rest.stop(job_id, _savepoint_folder(site, rest), drain)
        except SavepointError:
            record.save(workspace, replace(known, drained=False))
            raise
    if rest.wait(job_id, ENDED, STOPPED_WITHIN_S) not in ENDED:
        raise EugenieError(f"the job {job_id} did not end within {STOPPED_WITHIN_S:.0f} s", "see its page on Flink")
    if drain:  # a drained source ends before it has committed them itself
        commit(site, read)
    record.save(workspace, replace(known, savepoint=None if drain else location, drained=drain))
    return Stopped(job_id, location, drain)


def _savepoint_folder(site: Site, rest: FlinkRest) -> str:
    """Where savepoints go: the workspace for the embedded cluster; another cluster knows a place that it can reach."""
    if site.stream.flink == endpoints.EMBEDDED:
        return workspace_of(site).savepoints.absolute().as_uri()
    configured = rest.settings().get(SAVEPOINT_DIR)
    if configured is None:
        raise EugenieError(
            f"the Flink cluster at {rest.address} names no folder for savepoints",
            f"set {SAVEPOINT_DIR} in its configuration; `eugenie stream stop --no-savepoint` keeps the last checkpoint",
        )
    return configured
