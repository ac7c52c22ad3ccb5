"""How the stream job is doing: asked of Flink, of Kafka and of the model server, each of which may hang."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from eugenie_cli.broker import health as broker_health
from eugenie_cli.broker import positions, topics
from eugenie_cli.engines import endpoints, flink, flink_rest, job_record, process
from eugenie_cli.engines.flink_rest import ENDED, FlinkRest, state_of
from eugenie_cli.engines.job_record import JobRecord
from eugenie_cli.engines.launcher import run_file
from eugenie_cli.episodes.records import iso
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.serving import tls
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming import launch, offsets
from eugenie_cli.streaming.job import running_job
from eugenie_cli.streaming.lag import behind, read_offsets
from eugenie_cli.streaming.metrics import STALE_S, JobMetrics, OperatorLoad, fetch, read_metrics, unheard_s
from eugenie_cli.streaming.stack_trace import summary
from eugenie_cli.tfserving.client import ModelServerError

STOPPED, UNREACHABLE = "STOPPED", "UNREACHABLE"
RUNNING, INITIALIZING = "RUNNING", "INITIALIZING"

FLINK_S = 5.0
"""How long Flink may take for an answer that it has at hand."""

SERVER_S = 2.0
"""How long the model server may take to answer: it answers in milliseconds, unless it is away."""

INTERRUPTED = "a submission was interrupted, and Flink has not taken its job: `eugenie stream submit` repeats it"
SUBMIT = "eugenie stream submit"
SERVER = "start the model server, or correct serving.address in the site file"
HANGS = "eugenie status; `eugenie stream logs` shows what the TaskManager says"
CLUSTER = "start the cluster, or correct stream.flink in the site file"
BROKERS = "start the brokers, or correct kafka: in the site file"

AWAY = "away: readings wait in Kafka, nothing is lost"


@dataclass(frozen=True)
class ModelServer:
    """The model server, asked now. `models`: class -> the version that answers, None where there is none."""

    address: str | None
    reachable: bool
    detail: str
    models: dict[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """Something that the stream needs and does not have, and what to do next."""

    what: str
    next: str


@dataclass(frozen=True)
class StreamStatus:
    """The site's job now. `state` is Flink's, or STOPPED; INITIALIZING while not all tasks run; UNREACHABLE: it is not
    known, Flink does not answer.

    Counts begin when the job is started or restarted; rates are averages of the last minute. None: not known, or
    there is none yet.
    """

    state: str
    job_id: str | None
    address: str
    uptime_s: float = 0.0
    restarts: int = 0
    failure: str | None = None
    """What failed last, in a line or two; `failed_at` says when, ISO 8601."""
    failed_at: str | None = None
    lag: int | None = None
    """Records of the readings topic that were not read yet."""
    readings_per_s: float = 0.0
    """Records that the source took in."""
    scores_per_s: float = 0.0
    watermark: str | None = None
    """Event time, ISO 8601: every row before it was made."""
    watermark_delay_s: float | None = None
    """How far event time is behind the clock; in a replay of old readings, that is years."""
    checkpoints: int = 0
    failed_checkpoints: int = 0
    last_checkpoint_bytes: int | None = None
    last_checkpoint_s: float | None = None
    last_checkpoint_age_s: float | None = None
    predict_calls: int = 0
    predict_windows: int = 0
    predict_mean_ms: float | None = None
    """From the first attempt to the answer: waiting for a server that is away counts."""
    dead_letters: dict[str, int] = field(default_factory=dict)
    """By reason."""
    operators: tuple[OperatorLoad, ...] = ()
    model_server: ModelServer | None = None
    savepoint: str | None = None
    """Where the last job was stopped."""
    notes: tuple[str, ...] = ()
    """What could not be asked, and why; and assets that no row is scored of."""
    figures_age_s: float | None = None
    """How old Flink's figures are: rates, event time, lag, Predict, dead letters, operators. None: not known."""
    problems: tuple[Problem, ...] = ()
    """What is needed and down; empty: the stream is at work."""


def status(site: Site) -> StreamStatus:
    """Ask all of them, and wait for fresh figures. What does not answer is a problem."""
    with ThreadPoolExecutor(2) as pool:
        kafka, server = pool.submit(_kafka, site), pool.submit(_model_server, site)
        found = _job(site, lambda: kafka.result() is None)
        no_kafka, models = kafka.result(), server.result()
    problems = (*found.problems, *filter(None, (no_kafka, _server_problem(site, models))))
    notes = (*found.notes, *_strangers(site, models))
    return replace(found, model_server=models, problems=problems, notes=notes)


def _job(site: Site, has_kafka: Callable[[], bool]) -> StreamStatus:
    """What Flink knows of the job."""
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
        return _asked(site, FlinkRest(address, FLINK_S), last, has_kafka)
    except EugenieError as error:
        if error.exit_code is not ExitCode.UNREACHABLE:
            raise
        problem = Problem(error.reason, error.hint or "eugenie up")
        return StreamStatus(UNREACHABLE, None, address, savepoint=savepoint, problems=(problem,))


def _asked(site: Site, rest: FlinkRest, last: JobRecord | None, has_kafka: Callable[[], bool]) -> StreamStatus:
    noted, last = last, launch.counted(rest, last)
    lost = noted is not None and (last is None or last.job_id != noted.job_id)
    notes = [INTERRUPTED] if lost else []
    job_id = running_job(rest, site.site) or (last.job_id if last is not None else None)
    job = rest.job(job_id) if job_id is not None else None
    savepoint = last.savepoint if last is not None else None
    if job is None or job_id is None:
        problem = Problem(f"the stream job of {site.site} does not run", _next(site, rest, STOPPED))
        return StreamStatus(STOPPED, None, rest.address, savepoint=savepoint, notes=tuple(notes), problems=(problem,))
    state = state_of(job)
    if job["state"] == INITIALIZING:  # its JobMaster is made: Flink refuses every further question about it
        problem = Problem(f"the stream job is {state}", _next(site, rest, state))
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
        notes.append(f"Flink's figures are {how_old}: they may say nothing of now")
    problems = [] if at_work else [Problem(f"the stream job is {state}", _next(site, rest, state))]
    if unheard:
        problems = [Problem("Flink does not hear its TaskManager: the job is called running and may hang", HANGS)]
    lag: int | None = None
    if at_work and has_kafka():
        lag = _lag(site, rest, job_id, last, notes, problems)
    elif at_work:
        notes.append("the lag is not known: something is wrong with Kafka")
    return StreamStatus(
        state=state,
        job_id=job_id,
        address=f"{rest.address}/#/job/{job_id}/overview",
        uptime_s=job["duration"] / 1000,
        restarts=int(rest.job_metrics(job_id, ["numRestarts"]).get("numRestarts", 0)),
        failure=summary(failed[1]) if failed is not None else None,
        failed_at=iso(failed[0]) if failed is not None else None,
        lag=lag,
        readings_per_s=round(metrics.readings_per_s, 3),
        scores_per_s=round(metrics.scores_per_s, 3),
        watermark=iso(metrics.watermark_ms) if metrics.watermark_ms is not None else None,
        watermark_delay_s=_since(metrics.watermark_ms),
        **_checkpoints(rest.checkpoints(job_id)),
        predict_calls=metrics.predict_calls,
        predict_windows=metrics.predict_windows,
        predict_mean_ms=round(metrics.predict_ms / metrics.predict_calls, 1) if metrics.predict_calls else None,
        dead_letters=metrics.dead_letters,
        operators=metrics.operators,
        savepoint=savepoint if last is not None and last.job_id == job_id else None,
        notes=tuple(notes),
        figures_age_s=age,
        problems=tuple(problems),
    )


def _next(site: Site, rest: FlinkRest, state: str) -> str:
    """What to do about a job that is not at work."""
    if state == STOPPED or state in ENDED:
        return SUBMIT
    if rest.task_managers():
        return "wait, and ask again; `eugenie stream logs` says what fails"
    if site.stream.flink != endpoints.EMBEDDED:
        return "start a TaskManager: Flink has none"
    if process.identify(run_file(workspace_of(site), flink.TASKMANAGER)) is not None:
        return "wait, and ask again; if the TaskManager stays silent: eugenie down, then eugenie up"
    return "eugenie up: there is no TaskManager"


def _kafka(site: Site) -> Problem | None:
    """What is wrong with the brokers, or with the topics on them."""
    hint = endpoints.START if site.kafka.bootstrap == endpoints.EMBEDDED else BROKERS
    why = broker_health.why_no_kafka(site)
    if why:
        return Problem(f"Kafka does not answer: {why}", hint)
    try:
        missing = topics.missing(site)
    except EugenieError as error:
        return Problem(error.reason, error.hint or hint)
    return Problem(f"Kafka has no topic {', '.join(missing)}", SUBMIT) if missing else None


def _server_problem(site: Site, found: ModelServer) -> Problem | None:
    lacking = [name for name, version in found.models.items() if version is None]
    if not found.reachable:
        own = site.serving.address is None
        words = f"at {found.address} is {found.detail}" if found.address else f"of {site.site} does not run"
        return Problem(f"the model server {words}", endpoints.SERVE if own else SERVER)
    if lacking:
        words = f"the model server has no version of {', '.join(lacking)}"
        return Problem(words, f"eugenie export --class {lacking[0]}, then eugenie serve status")
    return None


def _checkpoints(found: dict[str, Any]) -> dict[str, Any]:
    latest = (found.get("latest") or {}).get("completed") or {}
    duration = latest.get("end_to_end_duration")
    return {
        "checkpoints": found["counts"]["completed"],
        "failed_checkpoints": found["counts"]["failed"],
        "last_checkpoint_bytes": latest.get("state_size"),
        "last_checkpoint_s": duration / 1000 if duration is not None else None,
        "last_checkpoint_age_s": _since(latest.get("latest_ack_timestamp")),
    }


def _lag(
    site: Site, rest: FlinkRest, job_id: str, last: JobRecord | None, notes: list[str], problems: list[Problem]
) -> int | None:
    """How far the job is behind its topic. Notes what the topic has no more of it; another topic is a problem."""
    try:
        read = read_offsets(rest, job_id)  # before the ends: what is read meanwhile would be beyond them
        topic = positions.look(site, str(site.topics.readings))
    except EugenieError as error:
        notes.append(f"the lag is not known: {error.reason}")
        return None
    try:
        before = last.topic if last is not None and last.job_id == job_id else None
        notes += offsets.while_running(topic, before, read)
    except EugenieError as error:  # it runs, and reads nothing
        problems.append(Problem(error.reason, error.hint or SUBMIT))
    return behind(topic.end, read)


def _model_server(site: Site) -> ModelServer:
    try:
        address = endpoints.model_server(site)
    except EugenieError as error:
        return ModelServer(None, False, f"{AWAY}; {error.reason}, next: {error.hint}")
    models: dict[str, int | None] = {}
    with tls.client_of(site, address) as client:
        for name in (name for name in site.classes if site.assets_of(name)):
            try:
                versions = [one.version for one in client.status(name, timeout=SERVER_S) if one.state == "AVAILABLE"]
            except ModelServerError as error:
                if error.retryable:
                    why = tls.words_of(site, error) if error.tls else error.code.name
                    return ModelServer(address, False, f"{AWAY} ({why})")
                versions = []
            models[name] = max(versions, default=None)
    missing = [name for name, version in models.items() if version is None]
    return ModelServer(address, True, f"no version of {', '.join(missing)}" if missing else "reachable", models)


def _strangers(site: Site, server: ModelServer) -> list[str]:
    """A sentence for each class of which the version that is served does not know every asset."""
    from eugenie_cli.serving import model_info

    found = []
    for name, version in server.models.items():
        folder = workspace_of(site).models / name / str(version)
        if not (folder / model_info.LOCATION).exists():
            continue
        try:
            words = model_info.about_strangers(model_info.read(folder), site.assets_of(name))
        except EugenieError as error:  # damaged since it was loaded: no reason to say nothing of the stream
            words = error.reason
        found += [f"{name}: {words}"] if words else []
    return found


def _since(instant_ms: int | None) -> float | None:
    return None if instant_ms is None else round(time.time() - instant_ms / 1000, 3)
