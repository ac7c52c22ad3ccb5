"""Flink's REST API: answers of a stand-in, as `FlinkRest` and the quick queries return them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest
from support.http_server import http_server

from eugenie_cli.engines import flink_rest
from eugenie_cli.engines.flink_rest import FlinkRest, SavepointError
from eugenie_cli.errors import EugenieError, ExitCode

RUNNING = {"jid": "a1", "name": "eugenie plant", "state": "RUNNING", "vertices": [{"status": "RUNNING"}]}
PAGES = {
    "/overview": {"slots-total": 4},
    "/taskmanagers": {
        "taskmanagers": [
            {"id": "t1", "timeSinceLastHeartbeat": 1_767_600_000_000},
            {"id": "t2", "timeSinceLastHeartbeat": 0},
            {"id": "t3"},
        ]
    },
    "/jobs/overview": {"jobs": [RUNNING, {"jid": "b2", "name": "ended", "state": "FAILED"}]},
    "/jobs/a1": RUNNING,
    "/jobs/a1/stop": {"request-id": "s"},
    "/jobs/a1/savepoints/s": {"status": {"id": "COMPLETED"}, "operation": {"location": "file:///savepoint-a1"}},
    "/jobs/b2/stop": {"request-id": "s"},
    "/jobs/b2/savepoints/s": {
        "status": {"id": "COMPLETED"},
        "operation": {"failure-cause": {"class": "X", "stack-trace": "X\nCaused by: Y: no space\n"}},
    },
}


class StandIn(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = PAGES.get(self.path)
        body = json.dumps(known if known is not None else {"errors": ["Not found: java.lang.Error: no such job"]})
        self.send_response(200 if known is not None else 404)
        self.end_headers()
        self.wfile.write(body.encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    with http_server(StandIn) as port:
        yield f"http://127.0.0.1:{port}"


UNUSED = "http://127.0.0.1:9"


def test_queries_return_slots_heartbeats_and_the_names_of_running_jobs(address):
    assert flink_rest.overview(address) == {"slots-total": 4}
    assert flink_rest.why_no_flink(address) == ""
    assert flink_rest.heartbeats(address) == {"t1": 1_767_600_000_000, "t2": 0, "t3": 0}
    assert flink_rest.running_jobs(address) == ["eugenie plant"]


def test_queries_of_an_unused_address_raise_no_error():
    assert flink_rest.overview(UNUSED) is None
    assert flink_rest.why_no_flink(UNUSED) == "no JobManager answers there"
    assert (flink_rest.heartbeats(UNUSED), flink_rest.running_jobs(UNUSED)) == ({}, [])


def test_the_client_and_the_queries_agree(address):
    rest = FlinkRest(address + "/")
    assert rest.overview() == flink_rest.overview(address)
    assert rest.task_managers() == list(flink_rest.heartbeats(address))
    assert [job["jid"] for job in rest.jobs()] == ["a1", "b2"]


def test_a_job_that_the_cluster_does_not_know_is_none(address):
    rest = FlinkRest(address)
    assert rest.job("c3") is None
    assert rest.wait("a1", frozenset({"RUNNING"}), 5) == "RUNNING"
    assert rest.wait("c3", frozenset({"RUNNING"}), 0) == "UNKNOWN"


def test_a_refusal_contains_flinks_reason(address):
    with pytest.raises(EugenieError, match="no such job"):
        FlinkRest(address).settings()


def test_an_unused_address_is_unreachable():
    with pytest.raises(EugenieError) as raised:
        FlinkRest(UNUSED).overview()
    assert raised.value.exit_code is ExitCode.UNREACHABLE


def test_a_stop_returns_the_location_of_the_savepoint_or_raises_the_reason(address):
    assert FlinkRest(address).stop("a1", "file:///", drain=False) == "file:///savepoint-a1"
    with pytest.raises(SavepointError, match="Caused by: Y: no space"):
        FlinkRest(address).stop("b2", "file:///", drain=True)
