"""The status of a job that Flink has just accepted: until its JobMaster exists, Flink refuses most queries.

Also the status of a job that reads during the queries.
"""

from __future__ import annotations

import itertools
import json
from http.server import BaseHTTPRequestHandler

import pytest
from support.http_server import http_server

from eugenie_cli.broker.positions import TopicState
from eugenie_cli.engines.flink_rest import FlinkRest
from eugenie_cli.engines.job_record import JobRecord
from eugenie_cli.errors import EugenieError
from eugenie_cli.serving import model_info
from eugenie_cli.site.load import workspace_of
from eugenie_cli.streaming import status
from eugenie_cli.streaming.served_models import ModelServer, unknown_assets
from eugenie_cli.streaming.status import _read_job

JOB = {"jid": "a1", "name": "eugenie plant", "state": "INITIALIZING", "duration": 1_500, "vertices": []}
ANSWERS = {"/jobs/overview": {"jobs": [JOB]}, "/jobs/a1": JOB, "/taskmanagers": {"taskmanagers": [{"id": "t"}]}}


class Initializing(BaseHTTPRequestHandler):
    """The answers of Flink 1.20 until a job's JobMaster exists."""

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
    with http_server(Initializing) as port:
        yield FlinkRest(f"http://127.0.0.1:{port}")


def test_a_job_without_a_jobmaster_yet_is_initializing_and_not_an_error(flink, site_of):
    result = _read_job(site_of(site="plant"), flink, JobRecord("a1", flink.address), lambda: True)
    assert (result.state, result.job_id, result.uptime_s) == ("INITIALIZING", "a1", 1.5)
    assert [problem.what for problem in result.problems] == ["the stream job is INITIALIZING"]


def test_a_model_damaged_after_loading_is_reported_as_a_note(site_of):
    site = site_of()
    file = workspace_of(site).models / "pump" / "3" / model_info.LOCATION
    file.parent.mkdir(parents=True)
    file.write_text('{"schema": ')
    server = ModelServer("models:8500", True, "reachable", {"pump": 3, "fan.v2": None})
    (note,) = unknown_assets(site, server)
    assert note.startswith("pump: ") and "is not JSON" in note


def test_records_read_during_the_queries_are_not_mistaken_for_a_recreated_topic(flink, site_of, monkeypatch):
    """With every query a record arrives, which the job reads immediately."""
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
    ids=["complete", "retention removed five", "another topic"],
)
def test_removed_records_are_a_note_and_another_topic_is_a_problem(
    flink, site_of, monkeypatch, begin, end, notes, problems
):
    monkeypatch.setattr(status, "read_offsets", lambda *_: {0: 10})
    monkeypatch.setattr(status.positions, "look", lambda _, topic: TopicState(topic, "id", {0: begin}, {0: end}))
    reported = [], []
    assert status._lag(site_of(), flink, "a1", None, *reported) == max(end - 10, 0)
    assert [len(messages) for messages in reported] == [notes, problems]


def test_brokers_that_fail_meanwhile_are_reported_once(flink, site_of, monkeypatch):
    def unreachable(*_: object) -> TopicState:
        raise EugenieError("the broker cannot be reached")

    monkeypatch.setattr(status, "read_offsets", lambda *_: {0: 10})
    monkeypatch.setattr(status.positions, "look", unreachable)
    reported = [], []
    assert status._lag(site_of(), flink, "a1", None, *reported) is None
    assert reported == (["the lag is unknown: the broker cannot be reached"], [])
