"""Flink's REST API, as far as a job's life needs it: the one place that knows its paths.

`FlinkRest` is for those who want something of a cluster, and raises what is wrong. The functions before it only look,
within seconds, and say nothing of a cluster that does not answer.
"""

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
    import requests  # a fifth of a second, which commands that only look can do without

ANSWER_S = 30.0
SUBMIT_S = 300.0
"""Submitting runs the job's Python on the JobManager, which plans the SQL: seconds, on a busy machine a minute."""

POLL_S = 0.2
ALIVE = frozenset({"CREATED", "INITIALIZING", "RUNNING", "RESTARTING", "FAILING", "RECONCILING"})
ENDED = frozenset({"FINISHED", "CANCELED", "FAILED"})
ENDED_ON_PURPOSE = ENDED - {"FAILED"}

NAMES_CHARACTERS = 3_500
"""Of the metrics' names in one request, as they are sent: Flink refuses a request line of more than 4096."""


def overview(address: str) -> dict[str, Any] | None:
    """The `/overview` of a cluster at `http://host:port`; None when no JobManager answers."""
    return health.get_object(f"{address}/overview")


def why_no_flink(address: str, timeout_s: float = health.ASK_S) -> str:
    """Empty when a JobManager answers at `http://host:port`."""
    found = health.get_object(f"{address}/overview", timeout_s)
    if found is None:
        return "no JobManager answers there"
    return "" if "slots-total" in found else "what answers there is no JobManager"


def heartbeats(address: str) -> dict[str, int]:
    """Id -> last heartbeat (ms since 1970 UTC, 0 before the first) of each TaskManager that is registered; empty when
    no JobManager answers.
    """
    answer = health.get_object(f"{address}/taskmanagers") or {}
    return {each["id"]: _heartbeat(each) for each in answer.get("taskmanagers", [])}


def running_jobs(address: str) -> list[str]:
    """Names of the jobs that are running; empty when no JobManager answers."""
    answer = health.get_object(f"{address}/jobs/overview") or {}
    return [job["name"] for job in answer.get("jobs", []) if job["state"] in ("RUNNING", "RESTARTING", "CREATED")]


def _heartbeat(task_manager: Mapping[str, Any]) -> int:
    return task_manager.get("timeSinceLastHeartbeat") or 0  # an instant, whatever its name says


@dataclass(frozen=True)
class Metric:
    """A metric of a vertex over its subtasks."""

    least: float
    most: float
    total: float


class SavepointError(EugenieError):
    """Flink took no savepoint, and the job runs on."""


class FlinkRest:
    """A cluster at `address` (`http://host:port`). Every call raises EugenieError when it fails.

    `answer_s`: how long it may take to answer. One that hangs is found out no sooner.
    """

    def __init__(self, address: str, answer_s: float = ANSWER_S) -> None:
        import requests

        self.address = address.rstrip("/")
        self._answer_s = answer_s
        self._session = requests.Session()
        self._session.trust_env = False  # a plant's web proxy knows no cluster

    def upload_jar(self, jar: Path) -> str:
        """Upload a jar, unless the cluster has it; returns its id."""
        for known in self._call("GET", "/jars").get("files", []):
            if known["name"] == jar.name:
                return known["id"]
        with jar.open("rb") as content:
            files = {"jarfile": (jar.name, content, "application/x-java-archive")}
            answer = self._call("POST", "/jars/upload", files=files, timeout=SUBMIT_S)
        return Path(answer["filename"]).name

    def run_jar(self, jar_id: str, request: Mapping[str, Any]) -> str:
        """Run a jar's entry class; returns the id of the job that it submitted."""
        return self._call("POST", f"/jars/{jar_id}/run", json=dict(request), timeout=SUBMIT_S)["jobid"]

    def job(self, job_id: str) -> dict[str, Any] | None:
        """A job with its vertices; None when the cluster does not know it."""
        return self._call("GET", f"/jobs/{job_id}", missing_is_none=True)

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs that the cluster remembers, as it summarises them."""
        answer = self._call("GET", "/jobs/overview")
        if not isinstance(answer, dict) or not isinstance(answer.get("jobs"), list):
            raise self._unreachable(ValueError("it lists no jobs"))  # something else answers there
        return answer["jobs"]

    def exceptions(self, job_id: str) -> str | None:
        """What last failed in a job, as Java printed it."""
        failed = self.last_failure(job_id)
        return failed[1] if failed is not None else None

    def last_failure(self, job_id: str) -> tuple[int, str] | None:
        """When a job last failed (ms since 1970 UTC), and the stack trace; None when it never did."""
        history = self._call("GET", f"/jobs/{job_id}/exceptions").get("exceptionHistory", {}).get("entries", [])
        return (history[0]["timestamp"], history[0]["stacktrace"]) if history else None

    def checkpoints(self, job_id: str) -> dict[str, Any]:
        """Counts, sizes and the latest checkpoints of a job."""
        return self._call("GET", f"/jobs/{job_id}/checkpoints")

    def metrics(self, job_id: str, vertex_id: str, wanted: Callable[[str], bool]) -> dict[str, Metric]:
        """The metrics of a vertex whose names are `wanted`, over its subtasks; by name."""
        path = f"/jobs/{job_id}/vertices/{vertex_id}/subtasks/metrics"
        names = [entry["id"] for entry in self._call("GET", path) if wanted(entry["id"])]
        found: dict[str, Metric] = {}
        for some in _requests(names):
            for entry in self._call("GET", path, params={"get": ",".join(some)}):
                found[entry["id"]] = Metric(float(entry["min"]), float(entry["max"]), float(entry["sum"]))
        return found

    def job_metrics(self, job_id: str, names: Iterable[str]) -> dict[str, float]:
        """Metrics of a whole job; those that it does not have are left out."""
        answer = self._call("GET", f"/jobs/{job_id}/metrics", params={"get": ",".join(names)})
        return {entry["id"]: float(entry["value"]) for entry in answer}

    def heartbeats(self) -> list[int]:
        """When the JobManager last heard each TaskManager, ms since 1970 UTC by its clock."""
        found = self._call("GET", "/taskmanagers")["taskmanagers"]
        return [at for at in map(_heartbeat, found) if at > 0]

    def settings(self) -> dict[str, str]:
        """The JobManager's configuration."""
        return {entry["key"]: entry["value"] for entry in self._call("GET", "/jobmanager/config")}

    def overview(self) -> dict[str, Any]:
        """Slots, TaskManagers, Flink's version."""
        return self._call("GET", "/overview")

    def task_managers(self) -> list[str]:
        """Ids of the TaskManagers that are registered."""
        return [one["id"] for one in self._call("GET", "/taskmanagers")["taskmanagers"]]

    def log(self, process: str) -> str:
        """The log of `jobmanager` or `taskmanagers/<id>`: as far as Flink gives it out, all of it."""
        import requests

        try:
            answer = self._session.get(f"{self.address}/{process}/log", timeout=SUBMIT_S)
        except requests.RequestException as error:
            raise self._unreachable(error) from None
        if not answer.ok:
            raise EugenieError(f"Flink has no log of {process}: {_reason(answer)}", "see where its processes run")
        return answer.content.decode("utf-8", "replace")

    def stop(self, job_id: str, savepoint_folder: str, drain: bool) -> str:
        """Stop with a savepoint, and wait for it; returns where it lies.

        `drain` also ends event time: every row is made, every timer fires, and the savepoint is not for resuming.
        Raises SavepointError when the job runs on; after another EugenieError it may still stop.
        """
        body = {"targetDirectory": savepoint_folder, "drain": drain}
        trigger = self._call("POST", f"/jobs/{job_id}/stop", json=body)["request-id"]
        deadline = time.monotonic() + SUBMIT_S
        while time.monotonic() < deadline:
            answer = self._call("GET", f"/jobs/{job_id}/savepoints/{trigger}")
            if answer["status"]["id"] == "COMPLETED":
                operation = answer["operation"]
                if "failure-cause" in operation:
                    raise SavepointError(
                        f"Flink could not take the savepoint: {_cause(operation['failure-cause'])}",
                        "the job runs on; see its page on Flink, or `eugenie stream stop --no-savepoint`",
                    )
                return operation["location"]
            time.sleep(POLL_S)
        raise EugenieError(f"Flink took no savepoint within {SUBMIT_S:.0f} s", "see the job's page on Flink")

    def cancel(self, job_id: str) -> None:
        """End a job at once, without a savepoint."""
        self._call("PATCH", f"/jobs/{job_id}", params={"mode": "cancel"})

    def wait(self, job_id: str, states: frozenset[str], within_s: float) -> str:
        """Wait until the job is in one of `states`, or has ended; returns the state that it is in at the end.

        RUNNING counts once all its tasks run: before that Flink calls the job running, and takes no savepoint.
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
            "eugenie up; or correct stream.flink in the site file",
            ExitCode.UNREACHABLE,
        )


def state_of(job: Mapping[str, Any]) -> str:
    """A job's state. Flink calls one running while its tasks wait for slots: that is INITIALIZING here."""
    starting = any(vertex["status"] not in _AT_WORK for vertex in job["vertices"])
    return "INITIALIZING" if job["state"] == "RUNNING" and starting else job["state"]


_AT_WORK = frozenset({"RUNNING", "FINISHED"})
"""Of a task: at a stream's end the first are finished while the last still run."""


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
