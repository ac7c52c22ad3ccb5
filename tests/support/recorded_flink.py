"""Answers of Flink's REST API as recorded from a cluster, served in the order in which they came."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from eugenie_cli.engines.flink_rest import FlinkRest
from support.http_server import http_server

JOB = "a1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4"
NOW = 1_796_018_900_000
"""Flink's clock, ms since 1970 UTC."""

LOST = "org.apache.flink.runtime.jobmanager.scheduler.NoResourceAvailableException: Could not acquire the minimum"
KEY_ERROR = """org.apache.flink.runtime.taskmanager.AsynchronousException: Caught exception while processing timer.
\tat org.apache.flink.streaming.runtime.tasks.StreamTask.handleAsyncException(StreamTask.java:1693)
Caused by: java.lang.RuntimeException: Error from the SDK harness: Traceback (most recent call last):
  File "/env/lib/python3.11/site-packages/apache_beam/runners/worker/sdk_worker.py", line 311, in _execute
    response = task()
KeyError: 'pump'
"""


def job(state: str = "RUNNING", tasks: str | None = None) -> dict[str, Any]:
    """`/jobs/ID`."""
    status = tasks or ("RUNNING" if state == "RUNNING" else "CANCELED")
    return {"jid": JOB, "name": "eugenie plant", "state": state, "now": NOW, "vertices": [{"status": status}]}


def exceptions(*failures: tuple[int, str]) -> dict[str, Any]:
    """`/jobs/ID/exceptions`: seconds before `NOW` and stack trace of each, newest first."""
    entries = [{"timestamp": NOW - 1_000 * ago, "stacktrace": trace} for ago, trace in failures]
    return {"exceptionHistory": {"entries": entries, "truncated": False}}


def checkpoints(completed: int | None = None, count: int = 1, failed: str | None = None) -> dict[str, Any]:
    """`/jobs/ID/checkpoints`: `completed` seconds before `NOW`; `failed`: the message of the last that failed."""
    latest: dict[str, Any] = {"completed": None, "savepoint": None, "failed": None, "restored": None}
    if completed is not None:
        latest["completed"] = {"id": count, "latest_ack_timestamp": NOW - 1_000 * completed, "external_path": "x"}
    if failed is not None:
        latest["failed"] = {"id": count, "failure_message": failed}
    counts = {"completed": 0 if completed is None else count, "failed": int(failed is not None), "restored": 1}
    return {"counts": counts, "latest": latest, "history": []}


class Refused(str):
    """An answer with which Flink refuses a request: its message."""


@contextmanager
def flink(answers: Mapping[str, Sequence[Any]]) -> Iterator[tuple[FlinkRest, list[str]]]:
    """A server of recorded answers, and the list of requests. `answers`: by "VERB /path"; the last one repeats.

    Paths begin after `/jobs/ID`. A request without an answer is refused, as Flink refuses what it does not know.
    """
    requests: list[str] = []
    served: dict[str, int] = defaultdict(int)

    class Recorded(BaseHTTPRequestHandler):
        def do(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = f"{self.command} {self.path.removeprefix(f'/jobs/{JOB}')}"
            requests.append(asked)
            known = answers.get(asked)
            number = min(served[asked], len(known) - 1) if known else 0
            served[asked] += 1
            answer = known[number] if known else Refused("Error: not found")
            refused = isinstance(answer, Refused)
            body = json.dumps({"errors": [answer]} if refused else answer).encode()
            self.send_response(200 if not refused else 500 if known else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do

        def log_message(self, *_: object) -> None:
            pass

    with http_server(Recorded) as port:
        yield FlinkRest(f"http://127.0.0.1:{port}"), requests
