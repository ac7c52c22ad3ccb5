"""Wherever a submission is interrupted, one job runs, and the next one resumes from the newest state.

A submission records the job's id, sends the request, and records Flink's answer. The cases are what a later command
finds: the record, what Flink knows, and what is on disk.
"""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from support import recorded_flink as recorded
from support.chaos import ProgressLog
from support.recorded_flink import JOB, Refused, flink

from eugenie_cli.engines import job_record
from eugenie_cli.engines.job_record import JobRecord
from eugenie_cli.errors import EugenieError
from eugenie_cli.streaming import launch, start_position
from eugenie_cli.streaming.start_position import MAGIC
from eugenie_cli.workspace import Workspace

FORMER = JobRecord("f" * 32, "http://127.0.0.1:9", savepoint="file:/savepoint-f")
RUN = "POST /jars/j/run"
REQUEST = {"jar": "j", "entryClass": "x"}


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path / "workspace")


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(launch, "APPEARS_WITHIN_S", 0.2)
    monkeypatch.setattr(launch, "POLL_S", 0.01)


def new_record(tmp_path, before: JobRecord | None = FORMER) -> JobRecord:
    return JobRecord(
        JOB,
        "http://127.0.0.1:9",
        resumed_from="file:/savepoint-f" if before else None,
        checkpoints=(tmp_path / "checkpoints").as_uri(),
        accepted=False,
        before=None if before is None else asdict(before),
    )


def checkpoint(tmp_path, number: int = 3) -> None:
    folder = tmp_path / "checkpoints" / JOB / f"chk-{number}"
    folder.mkdir(parents=True)
    (folder / "_metadata").write_bytes(MAGIC)


@pytest.mark.parametrize("before", [None, FORMER])
@pytest.mark.parametrize(
    ("known", "on_disk", "counts"),
    [
        (False, False, "former"),  # interrupted before Flink had it: the same id is used again
        (True, False, "new"),
        (True, True, "new"),
        (False, True, "new"),  # its cluster was killed later: its checkpoint counts, not the older savepoint
    ],
)
def test_what_counts_after_an_interruption(workspace, tmp_path, before, known, on_disk, counts):
    job_record.save(workspace, new_record(tmp_path, before))
    if on_disk:
        checkpoint(tmp_path)
    answers = {"GET ": [recorded.job()], "GET /checkpoints": [recorded.checkpoints()]} if known else {}
    with flink(answers) as (rest, _):
        record, next_id = launch.settle(workspace, rest)
        if counts == "former":
            assert (record, next_id) == (before, JOB)
            assert job_record.load(workspace) == new_record(tmp_path, before), "a request may still be under way"
            return
        assert record == replace(new_record(tmp_path), resumed_from=record.resumed_from, accepted=True, before=None)
        assert next_id != JOB and job_record.load(workspace) == record
        if on_disk:
            newest = start_position.newest(rest, record)
            assert newest is not None and newest.path.endswith(f"{JOB}/chk-3")


@pytest.mark.parametrize(
    ("answers", "accepted", "raises"),
    [
        ({RUN: [{"jobid": JOB}]}, True, False),
        ({RUN: [Refused("Error: the program failed")]}, None, True),  # nothing runs: the former record is restored
        ({RUN: [Refused("Error: request timeout")]}, False, True),  # it may still run: the record names it
        ({RUN: [Refused("Error: request timeout")], "GET ": [recorded.job()]}, True, False),
        ({RUN: [Refused("Error: already submitted")], "GET ": [recorded.job()]}, True, False),
    ],
)
def test_what_is_recorded_after_flinks_answer(workspace, tmp_path, answers, accepted, raises):
    job_record.save(workspace, FORMER)
    new = new_record(tmp_path)
    with flink(answers) as (rest, requests):
        if raises:
            with pytest.raises(EugenieError):
                launch.launch(workspace, rest, REQUEST, new, ProgressLog())
        else:
            assert launch.launch(workspace, rest, REQUEST, new, ProgressLog()).job_id == JOB
    expected = {None: FORMER, False: new, True: replace(new, accepted=True, before=None)}[accepted]
    assert job_record.load(workspace) == expected and requests[0] == RUN


def test_a_repeated_request_for_a_job_that_runs_keeps_its_record(workspace, tmp_path):
    """Its first request started it: from where that request said."""
    first = new_record(tmp_path)
    job_record.save(workspace, first)
    second = replace(first, resumed_from="file:/other")
    log = ProgressLog()
    with flink({RUN: [Refused("Error: duplicate job")], "GET ": [recorded.job()]}) as (rest, _):
        runs = launch.launch(workspace, rest, REQUEST, second, log)
    assert runs.resumed_from == first.resumed_from and "interrupted submission succeeded" in log.lines[-1]


def test_ctrl_c_during_the_request_leaves_the_record_and_says_so(workspace, tmp_path, monkeypatch):
    job_record.save(workspace, FORMER)
    new, log = new_record(tmp_path), ProgressLog()

    def interrupt(*_: object) -> str:
        assert job_record.load(workspace) == new, "the id is recorded before the request"
        raise KeyboardInterrupt

    with flink({}) as (rest, _):
        monkeypatch.setattr(rest, "run_jar", interrupt)
        with pytest.raises(KeyboardInterrupt):
            launch.launch(workspace, rest, REQUEST, new, log)
    assert job_record.load(workspace) == new and JOB in log.lines[-1]


def test_a_cluster_that_dies_during_the_request_leaves_the_record(workspace, tmp_path):
    job_record.save(workspace, FORMER)
    new = new_record(tmp_path)
    with flink({}) as (rest, _):
        pass
    with pytest.raises(EugenieError, match="does not answer"):
        launch.launch(workspace, rest, REQUEST, new, ProgressLog())
    assert job_record.load(workspace) == new
