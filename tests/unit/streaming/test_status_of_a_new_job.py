"""The status of a job that Flink has just taken: what its JobMaster would know is refused for a moment."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from eugenie_cli.engines.flink_rest import FlinkRest
from eugenie_cli.engines.job_record import JobRecord
from eugenie_cli.streaming.status import _asked

JOB = {"jid": "a1", "name": "eugenie plant", "state": "INITIALIZING", "duration": 1_500, "vertices": []}
ANSWERS = {"/jobs/overview": {"jobs": [JOB]}, "/jobs/a1": JOB, "/taskmanagers": {"taskmanagers": [{"id": "t"}]}}


class Initializing(BaseHTTPRequestHandler):
    """What Flink 1.20 says while a job's JobMaster is made."""

    def do_GET(self) -> None:
        known = ANSWERS.get(self.path)
        body = json.dumps(known or {"errors": ["UnavailableDispatcherOperationException: JobManager is initializing."]})
        self.send_response(200 if known else 500)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def flink():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Initializing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield FlinkRest(f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()


def test_a_job_whose_master_is_being_made_is_initializing_and_no_error(flink, site_of):
    found = _asked(site_of(site="plant"), flink, JobRecord("a1", flink.address), lambda: True)
    assert (found.state, found.job_id, found.uptime_s) == ("INITIALIZING", "a1", 1.5)
    assert [one.what for one in found.problems] == ["the stream job is INITIALIZING"]
