"""Stops the stream job: with a savepoint to resume from, drained to its end, or immediately."""

from __future__ import annotations

from dataclasses import dataclass, replace

from eugenie_cli.broker import positions
from eugenie_cli.engines import job_record
from eugenie_cli.engines.flink_rest import ENDED, SavepointError
from eugenie_cli.engines.job_record import JobRecord
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming import crash_loop, made_rows, resume_point, savepoints, start_position
from eugenie_cli.streaming.job import SiteJob, job_of
from eugenie_cli.streaming.lag import behind, read_offsets, wait_until_caught_up
from eugenie_cli.streaming.start_position import SAVEPOINT, SAVEPOINT_DIR, Snapshot

STOPPED_WITHIN_S = 120.0

FROM_CHECKPOINT = (
    "the next job resumes from its last checkpoint; with exactly-once delivery nothing is lost or repeated"
)


@dataclass(frozen=True)
class Stopped:
    """The stopped job; `job_id` is None when none was running. `submit` resumes from `savepoint`."""

    job_id: str | None
    savepoint: str | None
    drained: bool


@dataclass(frozen=True)
class Drained:
    """What is known about the end of a drained job: its savepoint, and the offsets reported before the drain."""

    savepoint: str | None
    read: dict[int, int]


def stop(site: Site, progress: Progress = SILENT, drain: bool = False, savepoint: bool = True) -> Stopped:
    """Stop the site's job if it is running.

    With `drain` the job reads what the topic holds now, then event time ends: the last rows are completed and scored,
    and open anomalies are closed. A drained stream is over: the next submission starts with empty state, after the last
    reading that this job read and with the row after the last that it completed. Without `savepoint` the job ends
    immediately, and the next one resumes from its last checkpoint. Raises EugenieError; USAGE for a drain without a
    savepoint, which records where the stream ended.
    """
    if drain and not savepoint:
        raise EugenieError(
            "--drain needs a savepoint, which records where the stream ended",
            "leave out --no-savepoint to drain the stream, or --drain to end the job immediately",
            ExitCode.USAGE,
        )
    job = job_of(site)
    with job_record.changing(job.workspace):
        return stop_here(job, progress, drain, savepoint)


def stop_here(job: SiteJob, progress: Progress = SILENT, drain: bool = False, savepoint: bool = True) -> Stopped:
    """`stop` for a caller that holds `job_record.changing`."""
    workspace, rest = job.workspace, job.rest
    read: dict[int, int] = {}
    job_id = job.running()
    if job_id is None:
        progress.say(f"no stream job of {job.site_name} is running")
        submitted = job_record.load(workspace)
        if submitted is not None and not submitted.accepted:
            progress.say(f"an interrupted submission may still start its job {submitted.job_id}: check again")
        return Stopped(None, None, False)
    known = job_record.load(workspace)
    if known is None or known.job_id != job_id:
        known = JobRecord(job_id, rest.address)
    known = replace(known, accepted=True, before=None)
    location = None
    if savepoint:
        folder = _savepoint_folder(job)
        why = savepoints.hindrance(rest, job_id, progress)
        if drain:
            if why:
                raise savepoints.cannot_drain(job_id, why)
            wait_until_caught_up(job.kafka, rest, job_id, known.resumes_at, progress)
            read = read_offsets(rest, job_id, known.resumes_at)
            # recorded beforehand: a drain interrupted here may still complete, and must never be resumed from
            job_record.save(workspace, replace(known, drained=True, offsets={}, made_until={}))
            try:
                location = savepoints.drain(rest, job_id, folder, progress)
            except SavepointError:
                job_record.save(workspace, replace(known, drained=False))
                if loop := crash_loop.of(rest, job_id):
                    raise savepoints.cannot_drain(job_id, str(loop)) from None
                raise
        elif not why:
            location, why = savepoints.take(rest, job_id, folder, progress)
        if why:
            _check_state_remains(job, known, why)
            progress.say(f"no savepoint of the job can be taken: {why}\nit is ended at once: {FROM_CHECKPOINT}")
    if location is None:
        rest.cancel(job_id)
    if rest.wait(job_id, ENDED, STOPPED_WITHIN_S) not in ENDED:
        raise EugenieError(f"the job {job_id} did not end within {STOPPED_WITHIN_S:.0f} s", "see its page in Flink")
    if drain:
        conclude(job, replace(known, drained=True), Drained(location, read), progress)
    else:
        job_record.save(workspace, replace(known, savepoint=location, drained=False, stopped=location is None))
    return Stopped(job_id, location, drain)


def _check_state_remains(job: SiteJob, known: JobRecord, why: str) -> None:
    """Raise EugenieError if ending the job now would lose its state, unless it fails again and again anyway."""
    if start_position.newest(job.rest, known) is None and crash_loop.of(job.rest, known.job_id) is None:
        raise EugenieError(
            f"no savepoint of the job {known.job_id} can be taken: {why}, and it has left no checkpoint",
            "it keeps running; try again later, or end it without its state: eugenie stream stop --no-savepoint",
        )


def conclude(job: SiteJob, known: JobRecord, drained: Drained | None, progress: Progress) -> JobRecord:
    """Determine and record where a drained job ended: its offsets and its last rows.

    `drained` is None when Flink's answer was lost. Raises EugenieError when Kafka does not answer.
    """
    if drained is None:
        savepoints = [entry for entry in start_position.left_by(job.rest, known) if entry[1].kind == SAVEPOINT]
        if not savepoints:
            return known
        drained = Drained(max(savepoints, key=lambda entry: entry[0])[1].path, {})
    ended = _offsets(job, drained, progress)
    # a source that ends does not commit its final offsets to Kafka
    positions.commit(job.kafka, job.group, job.readings, ended)
    concluded = replace(
        known,
        savepoint=None,
        offsets={str(number): offset for number, offset in ended.items()},
        made_until=made_rows.made_until(job),
    )
    job_record.save(job.workspace, concluded)
    return concluded


def _offsets(job: SiteJob, drained: Drained, progress: Progress) -> dict[int, int]:
    """Where the source ended: exact offsets from the savepoint, else those reported up to a second earlier."""
    topic = positions.look(job.kafka, job.readings)
    exact = None
    if drained.savepoint is not None:
        exact = resume_point.at(job.rest, Snapshot(SAVEPOINT, drained.savepoint), topic.name)
    if exact is not None:
        return exact
    read = {number: offset for number, offset in drained.read.items() if offset > 0}
    left = behind(topic.end, read)
    if left:
        progress.say(
            "the exact end of the stream is recorded in its savepoint, which cannot be read from this machine: the next"
            f" job may read some of the last {left} records again"
        )
    return read


def _savepoint_folder(job: SiteJob) -> str:
    """The folder for savepoints: in the workspace for the embedded cluster, as configured for another cluster."""
    if job.is_embedded:
        return job.workspace.savepoints.absolute().as_uri()
    configured = job.rest.settings().get(SAVEPOINT_DIR)
    if configured is None:
        raise EugenieError(
            f"the Flink cluster at {job.rest.address} has no folder for savepoints",
            f"set {SAVEPOINT_DIR} in its configuration; `eugenie stream stop --no-savepoint` keeps the last checkpoint",
        )
    return configured
