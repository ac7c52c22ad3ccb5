"""How the stream job is doing: asked of Flink, of Kafka and of the model server."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from eugenie_cli.embedded import endpoints
from eugenie_cli.episodes.records import iso
from eugenie_cli.errors import EugenieError
from eugenie_cli.serving import tls
from eugenie_cli.serving.client import ModelServerError
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.model import Site
from eugenie_cli.streaming import record
from eugenie_cli.streaming.failure import summary
from eugenie_cli.streaming.flink_rest import ENDED, FlinkRest
from eugenie_cli.streaming.lag import lag
from eugenie_cli.streaming.metrics import JobMetrics, OperatorLoad, read_metrics
from eugenie_cli.streaming.submit import running_job

STOPPED = "STOPPED"

SERVER_S = 2.0
"""How long the model server may take to answer: it answers in milliseconds, unless it is away."""

AWAY = "away: readings wait in Kafka, nothing is lost"


@dataclass(frozen=True)
class ModelServer:
    """The model server, asked now. `models`: class -> the version that answers, None where there is none."""

    address: str | None
    reachable: bool
    detail: str
    models: dict[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True)
class StreamStatus:
    """The site's job now. `state` is Flink's, or STOPPED.

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


def status(site: Site) -> StreamStatus:
    """Ask all of them. Raises EugenieError when Flink does not answer; what else does not is a note."""
    rest = FlinkRest(endpoints.flink(site))
    last = record.load(workspace_of(site))
    server = _model_server(site)
    job_id = running_job(rest, site) or (last.job_id if last is not None else None)
    job = rest.job(job_id) if job_id is not None else None
    savepoint = last.savepoint if last is not None else None
    if job is None or job_id is None:
        return StreamStatus(STOPPED, None, rest.address, savepoint=savepoint, model_server=server)
    failed = rest.last_failure(job_id)
    notes = _strangers(site, server)
    alive = job["state"] not in ENDED
    metrics = read_metrics(rest, job) if alive else JobMetrics()
    return StreamStatus(
        state=job["state"],
        job_id=job_id,
        address=f"{rest.address}/#/job/{job_id}/overview",
        uptime_s=job["duration"] / 1000,
        restarts=int(rest.job_metrics(job_id, ["numRestarts"]).get("numRestarts", 0)),
        failure=summary(failed[1]) if failed is not None else None,
        failed_at=iso(failed[0]) if failed is not None else None,
        lag=_lag(site, rest, job_id, notes) if alive else None,
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
        model_server=server,
        savepoint=savepoint if last is not None and last.job_id == job_id else None,
        notes=tuple(notes),
    )


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


def _lag(site: Site, rest: FlinkRest, job_id: str, notes: list[str]) -> int | None:
    try:
        return lag(site, rest, job_id)
    except EugenieError as error:
        notes.append(f"the lag is not known: {error.reason}")
        return None


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
    from eugenie_cli.serving import manifest

    found = []
    for name, version in server.models.items():
        folder = workspace_of(site).models / name / str(version)
        if (folder / manifest.LOCATION).exists():
            words = manifest.about_strangers(manifest.read(folder), site, name)
            found += [f"{name}: {words}"] if words else []
    return found


def _since(instant_ms: int | None) -> float | None:
    return None if instant_ms is None else round(time.time() - instant_ms / 1000, 3)
