"""Submits the stream job: checks its dependencies, packages it and runs it from where the last job ended."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace

from eugenie_cli.broker import positions, topic_settings, topics, transactions
from eugenie_cli.engines import endpoints, flink, job_record, launcher, temporary_folders
from eugenie_cli.engines.job_record import JobRecord
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.serving import tls
from eugenie_cli.site.kafka import KafkaAccess
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming import (
    crash_loop,
    first_checkpoint,
    flink_libraries,
    instance,
    launch,
    offsets,
    other_instances,
    package,
    plant_changes,
    resume_point,
    slots,
    start_position,
    submission,
    upgrade,
)
from eugenie_cli.streaming.compatibility import START_OVER, check_state, check_upgrade, listed
from eugenie_cli.streaming.job import SiteJob, job_of
from eugenie_cli.streaming.parallelism import check_partitions, check_shards
from eugenie_cli.streaming.resume_point import Place
from eugenie_cli.streaming.spec_diff import Change, changes, shape_of
from eugenie_cli.streaming.start_position import (
    AUTO,
    SAVEPOINT,
    SAVEPOINT_DIR,
    Start,
)
from eugenie_cli.streaming.stop import conclude, stop_here
from eugenie_cli.streaming.submission import Submission
from eugenie_cli.streaming.upload import packaged
from eugenie_cli.tfserving.errors import ModelServerError

CHECKPOINT_DIR = "execution.checkpointing.dir"

DIGEST = 12
"""Hex digits kept of the program's digest: enough to tell two programs apart."""

UPGRADE = "eugenie stream submit --upgrade"


def submit(
    site: Site,
    progress: Progress = SILENT,
    start: str = AUTO,
    *,
    savepoint: str | None = None,
    parallelism: int | None = None,
    upgrade: bool = False,
    lost: bool = False,
    beside: bool = False,
    reset: Collection[str] = (),
) -> Submission:
    """Submit the site's stream job unless it is running, and wait for its first checkpoint.

    `start`: "auto" resumes from the savepoint of the last stop, or from the last checkpoint of a job that ended without
    one; without either, it resumes after the last reading that a job of the site read, or starts at the first reading.
    "savepoint" does the same but requires a state (`savepoint` names one). "earliest", "latest" and an instant (of the
    records' arrival) start there with empty state. `parallelism` overrides the site file.

    A running job is left unchanged. With `upgrade` it is stopped with a savepoint from which the new job resumes;
    everything that can be checked is checked before the old job stops. A job that fails again and again is replaced
    when the start is "earliest", "latest" or an instant, which needs nothing of it. The supervisor sets `lost`: a job
    that the cluster lost is submitted again, unless it was stopped or submitted meanwhile. `beside`: start even if a
    job of the site from another workspace is running. `reset`: assets whose state an upgrade drops.

    Raises EugenieError when an engine or the model server is unreachable (UNREACHABLE), when the models, the
    parallelism or the state of the last job do not fit the site file (REFUSED), or when the job fails.
    """
    site = _with_parallelism(site, parallelism)
    requested = start_position.parse_start(site.timezone, start, savepoint)
    if upgrade and requested.kind != AUTO:
        raise EugenieError(
            "--upgrade resumes where the job is", "leave out --start-at and --from-savepoint", ExitCode.USAGE
        )
    job = job_of(site)
    how = How(upgrade, lost, beside, tuple(dict.fromkeys(reset)))
    with job_record.changing(job.workspace):
        done = _submit(site, job, requested, how, progress)
    if done.started:
        failed = first_checkpoint.wait(job.rest, done.job_id, progress)
        with job_record.changing(job.workspace):
            if (last := job_record.load(job.workspace)) is not None and last.job_id == done.job_id:
                job_record.save(job.workspace, replace(last, failed_at_start=failed))
    return done


@dataclass(frozen=True)
class How:
    """The switches of `submit`."""

    upgrade: bool
    lost: bool
    beside: bool
    reset: tuple[str, ...]
    """Assets whose state the new job drops."""


def _submit(site: Site, job: SiteJob, requested: Start, how: How, progress: Progress) -> Submission:
    workspace, rest = job.workspace, job.rest
    launch.await_interrupted(workspace, progress)
    last, job_id = launch.settle(workspace, rest)
    running = job.running()
    loop = crash_loop.of(rest, running) if running is not None else None
    replacing = loop is not None and requested.starts_over
    if running is not None and not how.upgrade and not replacing:
        if loop is not None:
            progress.say(f"{loop}\nnext: correct the cause, then {UPGRADE}; or `eugenie stream stop`")
        if requested.kind != AUTO:
            progress.say("the requested start has no effect on the running job: stop it first")
        return _left_alone(site, job, running, last, progress)
    if how.lost and (last is None or last.ended_on_purpose):
        return submission.nothing_done(rest, last)

    check_models(site, progress)
    topics.ensure(job.kafka, progress)
    topic_settings.review(job.kafka, progress)
    spec = replace(_specify(site, job.kafka, requested), instance=instance.ensure(workspace))
    check_shards(spec)
    check_partitions(spec)
    if job.is_embedded:
        slots.check(spec.parallelism, rest, progress)
        temporary_folders.sweep_if_free(workspace, flink.JVMS, workspace.run / launcher.LOCK)
    elif (lack := flink_libraries.missing(rest)) not in (None, flink_libraries.UNKNOWN):
        progress.say("\nnext: ".join(lack))
    shape = shape_of(spec, package.code_digest()[:DIGEST])
    if running is not None and not replacing:
        changed = check_upgrade(running, last, shape)
        if not changed and not how.reset:
            if loop is not None:
                progress.say(str(loop))
            progress.say(f"the stream job of {job.site_name} is already running as the site file specifies")
            return Submission(running, submission.page(rest, running), False, None, "")
        made_until = last.made_until if last is not None else {}
        place = Place(None, positions.identity(job.kafka, job.readings), made_until=made_until)
        offsets.check_identity(job.readings, place.topic, last.topic if last is not None else None)
        _say_changes(last, shape, changed, progress)
    else:
        if not (how.lost or how.beside):
            other_instances.refuse(job, spec.checkpoint_ms, progress)
        if last is not None and last.drained and not last.offsets:
            last = conclude(job, last, None, progress)  # an interrupted drain that Flink completed
        place = resume_point.find(job, last, requested, progress)
        changed = changes(last.shape, shape) if last is not None and last.shape else ()
        if place.state is not None and requested.path is None:
            check_state(place.state, changed)
            _say_changes(last, shape, changed, progress)
        submission.say_origin(last, requested, place.state, progress)

    spec = replace(spec, start_offsets=_by_text(place.start_offsets), made_until=place.made_until)
    if how.reset:
        spec = replace(spec, reset_assets=how.reset, reset_ms=int(time.time() * 1000))
    progress.say(f"packaging the job: {len(spec.classes)} classes, {len(spec.assets)} assets")
    settings = rest.settings()
    with packaged(workspace, rest, spec) as request:
        if replacing:
            progress.say(f"the running job {running} is ended and replaced: {loop}")
            stop_here(job, progress, savepoint=False)
        elif running is not None:
            place = upgrade.stop_old(job, place, changed, progress)
        if running is not None:
            last, job_id = launch.settle(workspace, rest)
        path = place.state.path if place.state is not None else None
        new = JobRecord(
            job_id,
            rest.address,
            resumed_from=path,
            checkpoints=spec.checkpoints or settings.get(CHECKPOINT_DIR),
            savepoints=settings.get(SAVEPOINT_DIR),
            shape=shape,
            topic=place.topic,
            offsets=_by_text(place.offsets),
            made_until=place.made_until,
            accepted=False,
            before=None if last is None else asdict(last),
        )
        request |= {} if path is None else {"savepointPath": path}
        with progress.task("submitting the job to Flink"), upgrade.explaining(running is not None):
            runs = launch.launch(workspace, rest, request, new, progress)
    if place.start_offsets:  # where to resume if the job ends before its first checkpoint
        positions.commit(job.kafka, job.group, job.readings, place.start_offsets)
    path = runs.resumed_from
    return Submission(
        runs.job_id, submission.page(rest, runs.job_id), True, path, submission.origin(requested, place.state), changed
    )


def check_models(site: Site, progress: Progress = SILENT) -> None:
    """Check that the server has a model for every class with assets, and that it fits the site file.

    Reports assets that a model does not know: their rows get no score. Raises EugenieError.
    """
    from eugenie_cli.serving import model_info

    address = endpoints.model_server(site)
    workspace = workspace_of(site)
    credentials = tls.credentials_of(site)
    with tls.client_of(credentials, address) as client:
        for class_name in (name for name in site.classes if site.assets_of(name)):
            try:
                versions = [entry.version for entry in client.status(class_name) if entry.state == "AVAILABLE"]
            except ModelServerError as error:
                hint = tls.hint(error.tls, f"eugenie export --class {class_name}")
                raise EugenieError(tls.describe_error(credentials, error), hint, ExitCode.UNREACHABLE) from None
            if not versions:
                raise EugenieError(
                    f"the model server at {address} has no version of {class_name} available",
                    f"eugenie export --class {class_name}, then eugenie serve status",
                    ExitCode.UNREACHABLE,
                )
            folder = workspace.models / class_name / str(max(versions))
            if folder.exists():
                info = model_info.read(folder)
                model_info.check(info, site.fleet(class_name))
                if message := model_info.unknown_assets_message(info, site.assets_of(class_name)):
                    progress.say(f"{class_name}: {message}")


# -- the request ----------------------------------------------------------------------------------------------


def _with_parallelism(site: Site, parallelism: int | None) -> Site:
    if parallelism is None:
        return site
    return site.model_copy(update={"stream": site.stream.model_copy(update={"parallelism": parallelism})})


def _specify(site: Site, kafka: KafkaAccess, requested: Start) -> JobSpec:
    begin = AUTO if requested.kind == SAVEPOINT else requested.kind
    spec = package.job_spec(site, begin, topics.partitions(kafka, str(kafka.topics.readings)), requested.ms)
    connection = replace(spec.kafka, transaction_timeout_ms=transactions.longest_ms(kafka))
    return replace(spec, kafka=connection, anomaly_partitions=topics.partitions(kafka, str(kafka.topics.anomalies)))


# -- differences ----------------------------------------------------------------------------------------------


def _say_changes(last: JobRecord | None, shape: dict, changed: tuple[Change, ...], progress: Progress) -> None:
    if last is not None and changed:
        changes_of_plant = plant_changes.consequences(last.shape, shape)
        progress.say("\n".join(["changed since the last job:", listed(changed), *changes_of_plant]))


def _left_alone(site: Site, job: SiteJob, running: str, last: JobRecord | None, progress: Progress) -> Submission:
    """The running job, and what the site file would change in it."""
    differences: tuple[Change, ...] = ()
    meaning: tuple[str, ...] = ()
    progress.say(f"the stream job of {job.site_name} is already running")
    if last is not None and last.job_id == running and last.shape:
        try:
            spec = _specify(site, job.kafka, Start(AUTO))
        except EugenieError as error:
            progress.say(f"the job was not compared with the site file: {error.reason}")
        else:
            shape = shape_of(spec, package.code_digest()[:DIGEST])
            differences, meaning = changes(last.shape, shape), plant_changes.consequences(last.shape, shape)
    if differences:
        progress.say("\n".join(["the site file differs from the job:", listed(differences), *meaning]))
        state_is_lost = any(not change.compatible for change in differences)
        progress.say(f"next: {START_OVER}" if state_is_lost else f"next: {UPGRADE}")
    return Submission(running, submission.page(job.rest, running), False, None, "", differences)


def _by_text(offsets: dict[int, int]) -> dict[str, int]:
    return {str(number): offset for number, offset in offsets.items()}
