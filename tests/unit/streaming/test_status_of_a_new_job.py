"""The status of a job that Flink has just taken: what its JobMaster would know is refused for a moment.

And of one that reads while it is asked.
"""

from __future__ import annotations

import itertools
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from eugenie_cli.broker.positions import TopicState
from eugenie_cli.engines.flink_rest import FlinkRest
from eugenie_cli.engines.job_record import JobRecord
from eugenie_cli.errors import EugenieError
from eugenie_cli.serving import model_info
from eugenie_cli.site.load import workspace_of
from eugenie_cli.streaming import status
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


def test_a_model_that_was_damaged_after_it_was_loaded_is_a_note(site_of):
    site = site_of()
    file = workspace_of(site).models / "pump" / "3" / model_info.LOCATION
    file.parent.mkdir(parents=True)
    file.write_text('{"schema": ')
    server = status.ModelServer("models:8500", True, "reachable", {"pump": 3, "fan.v2": None})
    (note,) = status._strangers(site, server)
    assert note.startswith("pump: ") and "is not JSON" in note


def test_what_a_job_reads_while_it_is_asked_is_not_taken_for_a_topic_that_was_made_anew(flink, site_of, monkeypatch):
    """A record arrives with every question, and the job has read each of them at once."""
    end = itertools.count(1_000)
    monkeypatch.setattr(status, "read_offsets", lambda *_: {0: next(end)})
    monkeypatch.setattr(status.positions, "look", lambda _, topic: TopicState(topic, "id", {0: 0}, {0: next(end)}))
    notes, problems = [], []
    assert status._lag(site_of(), flink, "a1", None, notes, problems) == 1
    assert (notes, problems) == ([], [])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("begin", "end", "notes", "problems"),
    [(10, 20, 0, 0), (15, 20, 1, 0), (0, 5, 0, 1)],
    ids=["all is there", "retention took five", "another topic"],
)
def test_what_the_topic_has_no_more_is_a_note_and_another_topic_is_a_problem(
    flink, site_of, monkeypatch, begin, end, notes, problems
):
    monkeypatch.setattr(status, "read_offsets", lambda *_: {0: 10})
    monkeypatch.setattr(status.positions, "look", lambda _, topic: TopicState(topic, "id", {0: begin}, {0: end}))
    told = [], []
    assert status._lag(site_of(), flink, "a1", None, *told) == max(end - 10, 0)
    assert [len(one) for one in told] == [notes, problems]


def test_brokers_that_go_away_meanwhile_are_noted_once(flink, site_of, monkeypatch):
    def gone(*_: object) -> TopicState:
        raise EugenieError("the broker cannot be reached")

    monkeypatch.setattr(status, "read_offsets", lambda *_: {0: 10})
    monkeypatch.setattr(status.positions, "look", gone)
    told = [], []
    assert status._lag(site_of(), flink, "a1", None, *told) is None
    assert told == (["the lag is not known: the broker cannot be reached"], [])
