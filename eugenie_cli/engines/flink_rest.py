"""Flink's REST API. `FlinkRest` performs operations on a cluster and raises on failure. The functions above it only
query a cluster, within seconds, and do not raise when it does not answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from eugenie_cli.engines import health
from eugenie_cli.errors import EugenieError, ExitCode

if TYPE_CHECKING:
    import requests  # takes a fifth of a second, which commands that only query need not spend

ANSWER_S = 30.0
SUBMIT_S = 300.0
"""Submitting runs the job's Python on the JobManager, which plans the SQL: seconds, or a minute on a busy machine."""

POLL_S = 0.2
ALIVE = frozenset({"CREATED", "INITIALIZING", "RUNNING", "RESTARTING", "FAILING", "RECONCILING"})
ENDED = frozenset({"FINISHED", "CANCELED", "FAILED"})
ENDED_ON_PURPOSE = ENDED - {"FAILED"}

NAMES_CHARACTERS = 3_500
"""Limit for the escaped names of metrics in one request: Flink rejects request lines of more than 4096 characters."""


def overview(address: str) -> dict[str, Any] | None:
    """The `/overview` of a cluster at `http://host:port`; None when no JobManager answers."""
    return health.get_object(f"{address}/overview")


def why_no_flink(address: str, timeout_s: float = health.ASK_S) -> str:
    """Why no JobManager answers at `http://host:port`; empty when one does."""
    answer = health.get_object(f"{address}/overview", timeout_s)
    if answer is None:
        return "no JobManager answers there"
    return "" if "slots-total" in answer else "the server there is not a JobManager"


def heartbeats(address: str) -> dict[str, int]:
    """Id -> last heartbeat (ms since 1970 UTC, 0 before the first) of each registered TaskManager; empty when no
    JobManager answers.
    """
    answer = health.get_object(f"{address}/taskmanagers") or {}
    return {manager["id"]: _heartbeat(manager) for manager in answer.get("taskmanagers", [])}


def running_jobs(address: str) -> list[str]:
    """Names of the running jobs; empty when no JobManager answers."""
    answer = health.get_object(f"{address}/jobs/overview") or {}
    return [job["name"] for job in answer.get("jobs", []) if job["state"] in ("RUNNING", "RESTARTING", "CREATED")]


def _heartbeat(task_manager: Mapping[str, Any]) -> int:
    return task_manager.get("timeSinceLastHeartbeat") or 0  # an instant, despite its name


@dataclass(frozen=True)
class Metric:
    """A metric of a vertex over its subtasks."""

    least: float
    most: float
    total: float


class SavepointError(EugenieError):
    """Flink took no savepoint, and the job is still running."""


class SavepointTimeoutError(EugenieError):
    """Flink has taken no savepoint in time; it may still do so."""


class FlinkRest:
    """A cluster at `address` (`http://host:port`). Every call raises EugenieError when it fails.

    `answer_s`: how long the cluster may take to answer; a hung cluster is detected only then.
    """

    def __init__(self, address: str, answer_s: float = ANSWER_S) -> None:
        import requests

        self.address = address.rstrip("/")
        self._answer_s = answer_s
        self._session = requests.Session()
        self._session.trust_env = False  # a plant's web proxy does not reach the cluster

    def upload_jar(self, jar: Path) -> str:
        """Uploads a jar, unless the cluster has it; returns its id."""
        for known in self._call("GET", "/jars").get("files", []):
            if known["name"] == jar.name:
                return known["id"]
        with jar.open("rb") as content:
            files = {"jarfile": (jar.name, content, "application/x-java-archive")}
            answer = self._call("POST", "/jars/upload", files=files, timeout=SUBMIT_S)
        return Path(answer["filename"]).name

    def run_jar(self, jar_id: str, request: Mapping[str, Any]) -> str:
        """Runs a jar's entry class; returns the id of the job that it submitted."""
        return self._call("POST", f"/jars/{jar_id}/run", json=dict(request), timeout=SUBMIT_S)["jobid"]

    def job(self, job_id: str) -> dict[str, Any] | None:
        """A job with its vertices; None when the cluster does not know it."""
        return self._call("GET", f"/jobs/{job_id}", missing_is_none=True)

    def jobs(self) -> list[dict[str, Any]]:
        """Summaries of all jobs that the cluster remembers."""
        answer = self._call("GET", "/jobs/overview")
        if not isinstance(answer, dict) or not isinstance(answer.get("jobs"), list):
            raise self._unreachable(ValueError("the answer lists no jobs"))  # another server
        return answer["jobs"]

    def exceptions(self, job_id: str) -> str | None:
        """Java's stack trace of a job's last failure; None if it never failed."""
        failed = self.last_failure(job_id)
        return failed[1] if failed is not None else None

    def last_failure(self, job_id: str) -> tuple[int, str] | None:
        """The first of `failures`; None if the job never failed."""
        return next(iter(self.failures(job_id)), None)

    def failures(self, job_id: str) -> list[tuple[int, str]]:
        """A job's last failures, newest first: when (ms since 1970 UTC), and the stack trace."""
        history = self._call("GET", f"/jobs/{job_id}/exceptions").get("exceptionHistory", {}).get("entries", [])
        return [(entry["timestamp"], entry["stacktrace"]) for entry in history]

    def checkpoints(self, job_id: str) -> dict[str, Any]:
        """Counts, sizes and the latest checkpoints of a job."""
        return self._call("GET", f"/jobs/{job_id}/checkpoints")

    def trigger_checkpoint(self, job_id: str) -> None:
        """Has a job take a checkpoint now, without waiting for it or for the interval to pass."""
        self._call("POST", f"/jobs/{job_id}/checkpoints", json={"checkpointType": "CONFIGURED"})

    def metrics(self, job_id: str, vertex_id: str, selects: Callable[[str], bool]) -> dict[str, Metric]:
        """A vertex's metrics for whose names `selects` is true, aggregated over its subtasks; by name."""
        path = f"/jobs/{job_id}/vertices/{vertex_id}/subtasks/metrics"
        names = [entry["id"] for entry in self._call("GET", path) if selects(entry["id"])]
        metrics: dict[str, Metric] = {}
        for portion in _requests(names):
            for entry in self._call("GET", path, params={"get": ",".join(portion)}):
                metrics[entry["id"]] = Metric(float(entry["min"]), float(entry["max"]), float(entry["sum"]))
        return metrics

    def job_metrics(self, job_id: str, names: Iterable[str]) -> dict[str, float]:
        """Metrics of a whole job, without those that it does not have."""
        answer = self._call("GET", f"/jobs/{job_id}/metrics", params={"get": ",".join(names)})
        return {entry["id"]: float(entry["value"]) for entry in answer}

    def heartbeats(self) -> list[int]:
        """When the JobManager last heard each TaskManager, ms since 1970 UTC by its clock."""
        managers = self._call("GET", "/taskmanagers")["taskmanagers"]
        return [at for at in map(_heartbeat, managers) if at > 0]

    def settings(self) -> dict[str, str]:
        """The JobManager's configuration."""
        return {entry["key"]: entry["value"] for entry in self._call("GET", "/jobmanager/config")}

    def class_path(self) -> list[str]:
        """File names of the jars on the JobManager's class path; empty if the cluster does not report them."""
        answer = self._call("GET", "/jobmanager/environment", missing_is_none=True) or {}
        return [Path(entry).name for entry in answer.get("classpath", [])]

    def overview(self) -> dict[str, Any]:
        """Slots, TaskManagers, Flink's version."""
        return self._call("GET", "/overview")

    def task_managers(self) -> list[str]:
        """Ids of the registered TaskManagers."""
        return [manager["id"] for manager in self._call("GET", "/taskmanagers")["taskmanagers"]]

    def log(self, process: str) -> str:
        """The log of `jobmanager` or `taskmanagers/<id>`, as much of it as Flink serves."""
        import requests

        try:
            answer = self._session.get(f"{self.address}/{process}/log", timeout=SUBMIT_S)
        except requests.RequestException as error:
            raise self._unreachable(error) from None
        if not answer.ok:
            raise EugenieError(
                f"Flink serves no log of {process}: {_reason(answer)}", "read it on the machine on which Flink runs"
            )
        return answer.content.decode("utf-8", "replace")

    def stop(self, job_id: str, savepoint_folder: str, drain: bool, within_s: float = SUBMIT_S) -> str:
        """Stops a job with a savepoint, waits for it and returns its location.

        `drain` also ends event time: all rows are completed, all timers fire, and the savepoint is not for resuming.
        Raises SavepointError when the job is still running; after SavepointTimeoutError or another EugenieError it may
        still stop.
        """
        body = {"targetDirectory": savepoint_folder, "drain": drain}
        trigger = self._call("POST", f"/jobs/{job_id}/stop", json=body)["request-id"]
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            answer = self._call("GET", f"/jobs/{job_id}/savepoints/{trigger}")
            if answer["status"]["id"] == "COMPLETED":
                operation = answer["operation"]
                if "failure-cause" in operation:
                    raise SavepointError(
                        f"Flink could not take the savepoint: {_cause(operation['failure-cause'])}",
                        "the job is still running; see its page in Flink, or use `eugenie stream stop --no-savepoint`",
                    )
                return operation["location"]
            time.sleep(POLL_S)
        raise SavepointTimeoutError(f"Flink took no savepoint within {within_s:.0f} s", "see the job's page in Flink")

    def cancel(self, job_id: str) -> None:
        """Ends a job at once, without a savepoint."""
        self._call("PATCH", f"/jobs/{job_id}", params={"mode": "cancel"})

    def wait(self, job_id: str, states: frozenset[str], within_s: float) -> str:
        """Waits until the job is in one of `states` or has ended, for at most `within_s`; returns its last state.

        RUNNING counts once all its tasks run: until then Flink already reports the job as running, but takes no
        savepoint.
        """
        deadline = time.monotonic() + within_s
        while True:
            state = self._state(job_id)
            if state in states or state in ENDED or time.monotonic() > deadline:
                return state
            time.sleep(POLL_S)

    def _state(self, job_id: str) -> str:
        job = self.job(job_id)
        return "UNKNOWN" if job is None else state_of(job)

    def _call(
        self, verb: str, path: str, *, missing_is_none: bool = False, timeout: float | None = None, **body: Any
    ) -> Any:
        import requests

        try:
            answer = self._session.request(verb, self.address + path, timeout=timeout or self._answer_s, **body)
        except requests.RequestException as error:
            raise self._unreachable(error) from None
        if missing_is_none and answer.status_code == requests.codes.not_found:
            return None
        if not answer.ok:
            raise EugenieError(f"Flink refused {verb} {path}: {_reason(answer)}", "see the JobManager's log")
        try:
            return answer.json() if answer.content else {}
        except requests.JSONDecodeError as error:
            raise self._unreachable(error) from None

    def _unreachable(self, error: Exception) -> EugenieError:
        return EugenieError(
            f"Flink at {self.address} does not answer ({type(error).__name__})",
            "`eugenie up`, or correct stream.flink in the site file",
            ExitCode.UNREACHABLE,
        )


def state_of(job: Mapping[str, Any]) -> str:
    """A job's state. Flink reports a job as running while its tasks wait for slots; that is INITIALIZING here."""
    starting = any(vertex["status"] not in _AT_WORK for vertex in job["vertices"])
    return "INITIALIZING" if job["state"] == "RUNNING" and starting else job["state"]


_AT_WORK = frozenset({"RUNNING", "FINISHED"})
"""States of a task at work: at the end of a stream the first tasks are finished while the last still run."""


def _requests(names: Iterable[str]) -> Iterator[list[str]]:
    """The names in portions that fit into a request line."""
    portion: list[str] = []
    length = 0
    for name in names:
        cost = len(quote(name, safe="")) + len("%2C")
        if portion and length + cost > NAMES_CHARACTERS:
            yield portion
            portion, length = [], 0
        portion.append(name)
        length += cost
    if portion:
        yield portion


def _reason(answer: requests.Response) -> str:
    try:
        errors = answer.json().get("errors", [])
    except ValueError:
        return answer.text[:500]
    causes = [line.strip() for error in errors for line in error.splitlines() if "Caused by" in line or "Error" in line]
    return " | ".join(causes[:6]) or " ".join(errors)[:500]


def _cause(cause: Mapping[str, Any]) -> str:
    lines = [line.strip() for line in cause.get("stack-trace", "").splitlines()]
    causes = [line for line in lines if line.startswith("Caused by")]
    return causes[-1] if causes else cause.get("class", "unknown")
