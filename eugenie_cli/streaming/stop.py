"""Stop the stream job: with a savepoint to resume from, drained to its end, or at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from eugenie_cli.broker import positions
from eugenie_cli.engines import endpoints, job_record
from eugenie_cli.engines.flink_rest import ENDED, FlinkRest, SavepointError
from eugenie_cli.engines.job_record import JobRecord
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.flink_job.spec import consumer_group
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.site.field_types import parse_instant, to_ms
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming import resume_point, start_position
from eugenie_cli.streaming.job import running_job
from eugenie_cli.streaming.lag import behind, read_offsets, wait_until_caught_up
from eugenie_cli.streaming.start_position import SAVEPOINT, SAVEPOINT_DIR, Snapshot

STOPPED_WITHIN_S = 120.0

LAST_ROWS = 50_000
"""Score records of a partition that are looked through for the last row of each asset: those of thousands of assets."""


@dataclass(frozen=True)
class Stopped:
    """What was stopped; `job_id` None when nothing ran. `savepoint`: where `submit` resumes from."""

    job_id: str | None
    savepoint: str | None
    drained: bool


@dataclass(frozen=True)
class Drained:
    """What is known of the end of a drained job: its savepoint, and how far it said that it had read before."""

    savepoint: str | None
    read: dict[int, int]


def stop(site: Site, progress: Progress = SILENT, drain: bool = False, savepoint: bool = True) -> Stopped:
    """Stop the site's job if it runs.

    With `drain` the job reads what the topic holds now, and event time ends: the last rows are made and scored and open
    anomalies are closed. Such a stream is over: the next submission starts anew, after the last reading that this one
    took, and with the row after the last that it made. Without `savepoint` the job ends at once, and the next one goes
    on from its last checkpoint. Raises EugenieError; USAGE for a drain without one, which says where it ended.
    """
    if drain and not savepoint:
        raise EugenieError(
            "--drain cannot do without a savepoint, which says where the stream ended",
            "leave out --no-savepoint to drain the stream, or --drain to end the job at once",
            ExitCode.USAGE,
        )
    with job_record.changing(workspace_of(site)):
        return stop_here(site, progress, drain, savepoint)


def stop_here(site: Site, progress: Progress = SILENT, drain: bool = False, savepoint: bool = True) -> Stopped:
    """`stop` for a caller that holds `job_record.changing`."""
    workspace = workspace_of(site)
    read: dict[int, int] = {}
    rest = FlinkRest(endpoints.flink(site))
    job_id = running_job(rest, site.site)
    if job_id is None:
        progress.say(f"no stream job of {site.site} runs")
        asked = job_record.load(workspace)
        if asked is not None and not asked.accepted:
            progress.say(f"a submission was interrupted, and may still start its job {asked.job_id}: look again")
        return Stopped(None, None, False)
    known = job_record.load(workspace)
    if known is None or known.job_id != job_id:
        known = JobRecord(job_id, rest.address)
    known = replace(known, accepted=True, before=None)
    if not savepoint:
        rest.cancel(job_id)
        location = None
    else:
        rest.wait(job_id, frozenset({"RUNNING"}), STOPPED_WITHIN_S)
        if drain:
            wait_until_caught_up(site, rest, job_id, progress)
            read = read_offsets(rest, job_id)
            # before it happens: a drain that is interrupted here may end all the same, and is never resumed from
            job_record.save(workspace, replace(known, drained=True, offsets={}, made_until={}))
        try:
            with progress.task("draining the stream" if drain else "taking a savepoint"):
                location = rest.stop(job_id, _savepoint_folder(site, rest), drain)
        except SavepointError:
            job_record.save(workspace, replace(known, drained=False))
            raise
    if rest.wait(job_id, ENDED, STOPPED_WITHIN_S) not in ENDED:
        raise EugenieError(f"the job {job_id} did not end within {STOPPED_WITHIN_S:.0f} s", "see its page on Flink")
    if drain:
        conclude(site, rest, replace(known, drained=True), Drained(location, read), progress)
    else:
        job_record.save(workspace, replace(known, savepoint=location, drained=False))
    return Stopped(job_id, location, drain)


def conclude(site: Site, rest: FlinkRest, known: JobRecord, drained: Drained | None, progress: Progress) -> JobRecord:
    """Find out where a job that was drained ended, and note it: its offsets, and its last rows.

    `drained` None: nobody heard Flink's answer. Raises EugenieError when Kafka does not answer.
    """
    topic = str(site.topics.readings)
    if drained is None:
        left = [one for one in start_position.left_by(rest, known) if one[1].kind == SAVEPOINT]
        if not left:
            return known
        drained = Drained(max(left, key=lambda one: one[0])[1].path, {})
    ended = _offsets(site, rest, drained, progress)
    # a source that ends has not told Kafka any more how far it had read
    positions.commit(site, consumer_group(site.site), topic, ended)
    made: dict[str, int] = {}
    for row in positions.last_records(site, str(site.topics.scores), LAST_ROWS):
        if row.get("asset") in site.assets:
            made[row["asset"]] = max(made.get(row["asset"], 0), to_ms(parse_instant(row["ts"])))
    concluded = replace(
        known, savepoint=None, offsets={str(number): offset for number, offset in ended.items()}, made_until=made
    )
    job_record.save(workspace_of(site), concluded)
    return concluded


def _offsets(site: Site, rest: FlinkRest, drained: Drained, progress: Progress) -> dict[int, int]:
    """Where the source ended. Its savepoint says so; what it told before may be a second old."""
    topic = positions.look(site, str(site.topics.readings))
    exact = None
    if drained.savepoint is not None:
        exact = resume_point.at(rest, Snapshot(SAVEPOINT, drained.savepoint), topic.name)
    if exact is not None:
        return exact
    read = {number: offset for number, offset in drained.read.items() if offset > 0}
    left = behind(topic.end, read)
    if left:
        progress.say(
            f"where exactly the stream ended is in its savepoint, which cannot be read from here: of the {left} records"
            " that came last, some may be read again by the next job"
        )
    return read


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
