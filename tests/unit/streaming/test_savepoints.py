"""`stop` does not wait for a savepoint that a job cannot give: it says why, and the last checkpoint counts."""

from __future__ import annotations

import pytest
from support import recorded_flink as recorded
from support.chaos import ProgressLog
from support.recorded_flink import JOB, KEY_ERROR, LOST, flink

from eugenie_cli.engines.flink_rest import SavepointError, SavepointTimeoutError
from eugenie_cli.errors import ExitCode
from eugenie_cli.progress import SILENT
from eugenie_cli.streaming import savepoints

RUNNING, RESTARTING = recorded.job("RUNNING"), recorded.job("RESTARTING")
NO_FAILURES, TWO_FAILURES = recorded.exceptions(), recorded.exceptions((1, KEY_ERROR), (3, KEY_ERROR))
STOP, STATUS = "POST /stop", "GET /savepoints/1"
TAKEN = {"status": {"id": "COMPLETED"}, "operation": {"location": "file:/savepoint-1"}}
PENDING = {"status": {"id": "IN_PROGRESS"}}
REFUSED = {
    "status": {"id": "COMPLETED"},
    "operation": {"failure-cause": {"class": "E", "stack-trace": "E\nCaused by: task failed"}},
}


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(savepoints, "POLL_S", 0.01)
    monkeypatch.setattr(savepoints, "TAKEN_WITHIN_S", 0.3)


def answers(jobs, failures=NO_FAILURES, status=TAKEN, managers=("t",)):
    return {
        "GET ": jobs,
        "GET /checkpoints": [recorded.checkpoints(60)],
        "GET /exceptions": [failures],
        "GET /taskmanagers": [{"taskmanagers": [{"id": name} for name in managers]}],
        STOP: [{"request-id": "1"}],
        STATUS: [status],
    }


@pytest.mark.parametrize(
    ("jobs", "failures", "managers", "within_s", "words"),
    [
        ([RUNNING], TWO_FAILURES, ("t",), 0, ""),  # it runs at the moment: a savepoint may succeed
        ([RESTARTING, RUNNING], recorded.exceptions((1, LOST)), ("t",), 9, ""),
        ([recorded.job("FAILED")], TWO_FAILURES, ("t",), 9, ""),
        ([RESTARTING], TWO_FAILURES, ("t",), 9, "has failed 2 times since its last checkpoint: KeyError: 'pump'"),
        ([RESTARTING], NO_FAILURES, ("t",), 0, "has been RESTARTING for 0 s"),
        ([recorded.job("RUNNING", tasks="SCHEDULED")], NO_FAILURES, (), 9, "no TaskManager"),
    ],
)
def test_what_stands_in_the_way_of_a_savepoint(jobs, failures, managers, within_s, words, monkeypatch):
    monkeypatch.setattr(savepoints, "REGISTERS_WITHIN_S", 0.1)
    with flink(answers(jobs, failures, managers=managers)) as (rest, _):
        why = savepoints.hindrance(rest, JOB, SILENT, within_s)
    assert words in why and bool(why) == bool(words)


def test_a_savepoint_is_taken():
    with flink(answers([RUNNING])) as (rest, _):
        assert savepoints.take(rest, JOB, "file:/", SILENT) == ("file:/savepoint-1", "")


@pytest.mark.slow
def test_a_savepoint_that_hangs_is_given_up():
    with flink(answers([RUNNING], status=PENDING)) as (rest, _):
        location, why = savepoints.take(rest, JOB, "file:/", SILENT)
    assert location is None and "no savepoint within" in why and "model server" in why


def test_a_job_that_fails_meanwhile_gives_none():
    with flink(answers([RESTARTING], TWO_FAILURES, REFUSED)) as (rest, _):
        location, why = savepoints.take(rest, JOB, "file:/", SILENT)
    assert location is None and "task failed" in why and "KeyError: 'pump'" in why


def test_a_job_that_runs_on_after_a_refused_savepoint_is_not_ended():
    """A full disk, for example: it is the operator who decides."""
    with flink(answers([RUNNING], status=REFUSED)) as (rest, _), pytest.raises(SavepointError, match="task failed"):
        savepoints.take(rest, JOB, "file:/", SILENT)


def test_an_interrupted_stop_says_that_flink_continues(monkeypatch):
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    log = ProgressLog()
    with flink(answers([RUNNING], status=PENDING)) as (rest, _):
        monkeypatch.setattr("eugenie_cli.engines.flink_rest.time.sleep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            savepoints.take(rest, JOB, "file:/", log)
    assert "Flink still stops the job" in log.lines[-1]


@pytest.mark.slow
def test_a_drain_that_takes_too_long_continues_and_says_so(monkeypatch):
    monkeypatch.setattr(savepoints, "DRAINED_WITHIN_S", 0.3)
    with flink(answers([RUNNING], status=TAKEN)) as (rest, _):
        assert savepoints.drain(rest, JOB, "file:/", SILENT) == "file:/savepoint-1"
    with (
        flink(answers([RUNNING], status=PENDING)) as (rest, _),
        pytest.raises(SavepointTimeoutError, match="has not finished its last rows") as raised,
    ):
        savepoints.drain(rest, JOB, "file:/", SILENT)
    assert "model server" in str(raised.value.hint) and "--no-savepoint" in str(raised.value.hint)


def test_a_job_that_cannot_finish_its_rows_cannot_be_drained():
    error = savepoints.cannot_drain(JOB, "it fails")
    assert error.exit_code is ExitCode.REFUSED and "it fails" in error.reason and "stream stop" in str(error.hint)
