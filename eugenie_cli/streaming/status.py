"""How the stream job is doing, from Flink's REST API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eugenie_cli.embedded import endpoints
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.model import Site
from eugenie_cli.streaming import record
from eugenie_cli.streaming.flink_rest import FlinkRest
from eugenie_cli.streaming.submit import running_job

PREDICT_METRICS = ("predictCalls", "predictWindows")


@dataclass(frozen=True)
class StreamStatus:
    """The site's job now. `state` is Flink's, or STOPPED. Counts are since the job was (re)started."""

    state: str
    job_id: str | None
    address: str
    uptime_s: float
    checkpoints: int
    failed_checkpoints: int
    last_checkpoint_bytes: int | None
    predict_calls: int
    predict_windows: int
    savepoint: str | None
    failure: str | None


def status(site: Site) -> StreamStatus:
    """Ask the cluster. Raises EugenieError when it does not answer."""
    rest = FlinkRest(endpoints.flink(site))
    last = record.load(workspace_of(site))
    job_id = running_job(rest, site) or (last.job_id if last is not None else None)
    job = rest.job(job_id) if job_id is not None else None
    if job is None or job_id is None:
        savepoint = last.savepoint if last is not None else None
        return StreamStatus("STOPPED", None, rest.address, 0.0, 0, 0, None, 0, 0, savepoint, None)
    checkpoints = rest.checkpoints(job_id)
    predict = predict_metrics(rest, job)
    latest = (checkpoints.get("latest") or {}).get("completed") or {}
    return StreamStatus(
        state=job["state"],
        job_id=job_id,
        address=f"{rest.address}/#/job/{job_id}/overview",
        uptime_s=job["duration"] / 1000,
        checkpoints=checkpoints["counts"]["completed"],
        failed_checkpoints=checkpoints["counts"]["failed"],
        last_checkpoint_bytes=latest.get("state_size"),
        predict_calls=predict["predictCalls"],
        predict_windows=predict["predictWindows"],
        savepoint=last.savepoint if last is not None and last.job_id == job_id else None,
        failure=_first_lines(rest.exceptions(job_id)) if job["state"] in ("FAILED", "RESTARTING") else None,
    )


def predict_metrics(rest: FlinkRest, job: dict[str, Any]) -> dict[str, int]:
    """Predict calls and the windows in them, summed over the subtasks."""
    totals = dict.fromkeys(PREDICT_METRICS, 0)
    for vertex in job["vertices"]:
        for name, value in rest.metrics(job["jid"], vertex["id"], "predict").items():
            short = name.rsplit(".", 1)[-1]
            if short in totals:
                totals[short] += int(value)
    return totals


def _first_lines(text: str | None) -> str | None:
    return None if text is None else "\n".join(text.splitlines()[:3])
