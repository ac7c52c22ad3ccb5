"""The status of the stream job, from Flink, Kafka and the model server, each of which may hang."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from eugenie_cli.broker import open_transactions, positions
from eugenie_cli.engines import endpoints, flink_rest, job_record
from eugenie_cli.engines.flink_rest import FlinkRest, state_of
from eugenie_cli.engines.job_record import JobRecord
from eugenie_cli.episodes.records import iso
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming import hung_transactions, launch, offsets
from eugenie_cli.streaming.asset_reports import AssetReport, read_reports
from eugenie_cli.streaming.job import running_job
from eugenie_cli.streaming.lag import behind, read_offsets
from eugenie_cli.streaming.metrics import STALE_S, JobMetrics, OperatorLoad, fetch, read_metrics, unheard_s
from eugenie_cli.streaming.problems import STOPPED, SUBMIT, Problem, kafka_problem, next_step
from eugenie_cli.streaming.served_models import ModelServer, query_models, server_problem, unknown_assets
from eugenie_cli.streaming.stack_trace import summary

UNREACHABLE = "UNREACHABLE"
RUNNING, INITIALIZING = "RUNNING", "INITIALIZING"

FLINK_S = 5.0
"""How long Flink may take to answer from memory."""

INTERRUPTED = "a submission was interrupted, and Flink has not accepted its job: `eugenie stream submit` repeats it"
HANGS = "eugenie status; `eugenie stream logs` shows the TaskManager's log"
CLUSTER = "start the cluster, or correct stream.flink in the site file"


@dataclass(frozen=True)
class StreamStatus:
    """The site's job now. `state` is that of Flink, or STOPPED; INITIALIZING until all tasks run; UNREACHABLE when
    Flink does not answer.

    Counts begin when the job starts or restarts; rates are averages of the last minute. None: unknown, or no value yet.
    """

    state: str
    job_id: str | None
    address: str
    uptime_s: float = 0.0
    restarts: int = 0
    failure: str | None = None
    """The last failure, in a line or two, which occurred at `failed_at` (ISO 8601)."""
    failed_at: str | None = None
    lag: int | None = None
    """Unread records of the readings topic, up to the last stable offsets."""
    hidden: int = 0
    """Records from there to the high watermarks: in transactions that are open, or after them."""
    readings_per_s: float = 0.0
    """Records read by the source."""
    scores_per_s: float = 0.0
    watermark: str | None = None
    """Event time, ISO 8601: every row before it is complete."""
    watermark_delay_s: float | None = None
    """How far event time is behind the clock: years, in a replay of old readings."""
    checkpoints: int = 0
    failed_checkpoints: int = 0
    """Without the attempts while the job's tasks started."""
    last_checkpoint_bytes: int | None = None
    last_checkpoint_s: float | None = None
    last_checkpoint_age_s: float | None = None
    predict_calls: int = 0
    predict_windows: int = 0
    predict_mean_ms: float | None = None
    """From the first attempt to the answer, including the wait for an unreachable server."""
    dead_letters: dict[str, int] = field(default_factory=dict)
    """By reason."""
    ignored_readings: int = 0
    """Of tags that the site does not have, with `stream.unknown: ignore`. Continues when a job's state is resumed."""
    repeated_readings: int = 0
    """That repeated the last one of their sensor (instant and value) after its row was made. Continues likewise."""
    conflicting_readings: int = 0
    """Good readings of which the rows took another one of the same sensor and instant, larger or earlier."""
    operators: tuple[OperatorLoad, ...] = ()
    assets: tuple[AssetReport, ...] = ()
    """Assets whose clocks or readings are not as they should be."""
    model_server: ModelServer | None = None
    savepoint: str | None = None
    """The savepoint with which the last job was stopped."""
    notes: tuple[str, ...] = ()
    """Queries that failed, with reasons, and assets whose rows are not scored."""
    figures_age_s: float | None = None
    """The age of Flink's figures: rates, event time, lag, Predict, dead letters, operators. None: unknown."""
    problems: tuple[Problem, ...] = ()
    """What the stream needs and lacks; empty when it works."""


def status(site: Site) -> StreamStatus:
    """Query all three and wait for fresh figures. Reports whatever does not answer as a problem."""
    with ThreadPoolExecutor(2) as pool:
        kafka, server = pool.submit(kafka_problem, site), pool.submit(query_models, site)
        result = _job(site, lambda: kafka.result() is None)
        no_kafka, models = kafka.result(), server.result()
    problems = (*result.problems, *filter(None, (no_kafka, server_problem(site, models))))
    notes = (*result.notes, *unknown_assets(site, models))
    return replace(result, model_server=models, problems=problems, notes=notes)


def _job(site: Site, has_kafka: Callable[[], bool]) -> StreamStatus:
    """What Flink knows about the job."""
    last = job_record.load(workspace_of(site))
    savepoint = last.savepoint if last is not None else None
    address = ""
    try:
        address = endpoints.flink(site)
        why = flink_rest.why_no_flink(address, FLINK_S)
        if why:
            own = site.stream.flink == endpoints.EMBEDDED
            problem = Problem(f"Flink at {address} does not answer: {why}", endpoints.START if own else CLUSTER)
            return StreamStatus(UNREACHABLE, None, address, savepoint=savepoint, problems=(problem,))
        return _read_job(site, FlinkRest(address, FLINK_S), last, has_kafka)
    except EugenieError as error:
        if error.exit_code is not ExitCode.UNREACHABLE:
            raise
        problem = Problem(error.reason, error.hint or "eugenie up")
        return StreamStatus(UNREACHABLE, None, address, savepoint=savepoint, problems=(problem,))


def _read_job(site: Site, rest: FlinkRest, last: JobRecord | None, has_kafka: Callable[[], bool]) -> StreamStatus:
    recorded, last = last, launch.counted(rest, last)
    lost = recorded is not None and (last is None or last.job_id != recorded.job_id)
    notes = [INTERRUPTED] if lost else []
    job_id = running_job(rest, site.site) or (last.job_id if last is not None else None)
    job = rest.job(job_id) if job_id is not None else None
    savepoint = last.savepoint if last is not None else None
    if job is None or job_id is None:
        problem = Problem(f"the stream job of {site.site} is not running", next_step(site, rest, STOPPED))
        return StreamStatus(STOPPED, None, rest.address, savepoint=savepoint, notes=tuple(notes), problems=(problem,))
    state = state_of(job)
    if job["state"] == INITIALIZING:  # until its JobMaster exists, Flink refuses all other queries about the job
        problem = Problem(f"the stream job is {state}", next_step(site, rest, state))
        page = f"{rest.address}/#/job/{job_id}/overview"
        return StreamStatus(state, job_id, page, job["duration"] / 1000, notes=tuple(notes), problems=(problem,))
    failed = rest.last_failure(job_id)
    at_work = state == RUNNING
    age = fetch(rest, job_id) if at_work else None
    unheard = unheard_s(rest, job) if at_work else 0.0
    age = None if age is None else max(age, unheard)
    metrics = read_metrics(rest, job) if at_work else JobMetrics()
    if at_work and (age is None or age > STALE_S):
        how_old = "of an unknown age" if age is None else f"{age:.0f} s old"
        notes.append(f"Flink's figures are {how_old} and may be out of date")
    problems = [] if at_work else [Problem(f"the stream job is {state}", next_step(site, rest, state))]
    if unheard:
        problems = [
            Problem(
                "Flink receives no heartbeats from its TaskManager: the job is reported as running but may hang", HANGS
            )
        ]
    lag, hidden = None, 0
    if at_work and has_kafka():
        lag = _lag(site, rest, job_id, last, notes, problems)
        hidden, held_up = _held_up(site, rest, job_id, notes)
        problems += held_up
    elif at_work:
        notes.append("the lag is unknown: Kafka has a problem")
    return StreamStatus(
        state=state,
        job_id=job_id,
        address=f"{rest.address}/#/job/{job_id}/overview",
        uptime_s=job["duration"] / 1000,
        restarts=int(rest.job_metrics(job_id, ["numRestarts"]).get("numRestarts", 0)),
        failure=summary(failed[1]) if failed is not None else None,
        failed_at=iso(failed[0]) if failed is not None else None,
        lag=lag,
        hidden=hidden,
        readings_per_s=round(metrics.readings_per_s, 3),
        scores_per_s=round(metrics.scores_per_s, 3),
        watermark=iso(metrics.watermark_ms) if metrics.watermark_ms is not None else None,
        watermark_delay_s=_since(metrics.watermark_ms),
        **_checkpoints(rest.checkpoints(job_id), last.failed_at_start if last and last.job_id == job_id else 0),
        predict_calls=metrics.predict_calls,
        predict_windows=metrics.predict_windows,
        predict_mean_ms=round(metrics.predict_ms / metrics.predict_calls, 1) if metrics.predict_calls else None,
        dead_letters=metrics.dead_letters,
        ignored_readings=metrics.ignored_readings,
        repeated_readings=metrics.repeated_readings,
        conflicting_readings=metrics.conflicting_readings,
        operators=metrics.operators,
        assets=read_reports(metrics.of_assets, site.assets),
        savepoint=savepoint if last is not None and last.job_id == job_id else None,
        notes=tuple(notes),
        figures_age_s=age,
        problems=tuple(problems),
    )


def _checkpoints(statistics: dict[str, Any], failed_at_start: int) -> dict[str, Any]:
    latest = (statistics.get("latest") or {}).get("completed") or {}
    duration = latest.get("end_to_end_duration")
    return {
        "checkpoints": statistics["counts"]["completed"],
        "failed_checkpoints": max(statistics["counts"]["failed"] - failed_at_start, 0),
        "last_checkpoint_bytes": latest.get("state_size"),
        "last_checkpoint_s": duration / 1000 if duration is not None else None,
        "last_checkpoint_age_s": _since(latest.get("latest_ack_timestamp")),
    }


def _lag(
    site: Site, rest: FlinkRest, job_id: str, last: JobRecord | None, notes: list[str], problems: list[Problem]
) -> int | None:
    """The job's lag. Adds a note about unread records that were removed, and a problem if the topic was replaced."""
    try:
        begun = last.resumes_at if last is not None and last.job_id == job_id else {}
        # before the end offsets: records read in between would lie beyond them
        read = read_offsets(rest, job_id, begun)
        topic = positions.look(site.kafka_access, str(site.topics.readings))
    except EugenieError as error:
        notes.append(f"the lag is unknown: {error.reason}")
        return None
    try:
        before = last.topic if last is not None and last.job_id == job_id else None
        notes += offsets.while_running(topic, before, read)
    except EugenieError as error:  # the job runs but reads nothing
        problems.append(Problem(error.reason, error.hint or SUBMIT))
    return behind(topic.end, read)


def _held_up(site: Site, rest: FlinkRest, job_id: str, notes: list[str]) -> tuple[int, list[Problem]]:
    """The number of readings that open transactions hide, and a problem for each such transaction that is hung."""
    try:
        hidden = open_transactions.hidden(site.kafka_access, str(site.topics.readings))
        return hidden, hung_transactions.problems(site.kafka_access, rest.checkpoints(job_id))
    except EugenieError as error:
        notes.append(f"open transactions are unknown: {error.reason}")
        return 0, []


def _since(instant_ms: int | None) -> float | None:
    return None if instant_ms is None else round(time.time() - instant_ms / 1000, 3)
