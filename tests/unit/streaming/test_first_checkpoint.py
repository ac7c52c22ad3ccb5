"""`submit` says that it is done only after the job's first checkpoint, and otherwise why not, and what to do."""

from __future__ import annotations

import pytest
from support import recorded_flink as recorded
from support.chaos import ProgressLog
from support.recorded_flink import JOB, KEY_ERROR, LOST, flink

from eugenie_cli.engines import flink_rest
from eugenie_cli.errors import EugenieError
from eugenie_cli.progress import SILENT
from eugenie_cli.streaming import first_checkpoint

STARTING = [recorded.job("INITIALIZING"), recorded.job("CREATED"), recorded.job("RUNNING", tasks="DEPLOYING")]
RUNNING, RESTARTING = recorded.job("RUNNING"), recorded.job("RESTARTING")
NONE, COMPLETED = recorded.checkpoints(), recorded.checkpoints(0)
NO_FAILURES, ONE_FAILURE = recorded.exceptions(), recorded.exceptions((1, KEY_ERROR))
TWO_FAILURES = recorded.exceptions((1, KEY_ERROR), (3, KEY_ERROR))
TRIGGER = "POST /checkpoints"


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(first_checkpoint, "POLL_S", 0.01)


def answers(jobs, checkpoints, failures=NO_FAILURES, **further):
    return {"GET ": jobs, "GET /checkpoints": checkpoints, "GET /exceptions": [failures], TRIGGER: [{}], **further}


def test_a_checkpoint_is_requested_once_all_tasks_run_and_waited_for():
    with flink(answers([*STARTING, RUNNING], [NONE, NONE, COMPLETED])) as (rest, requests):
        assert first_checkpoint.wait(rest, JOB, SILENT) == 0
    asked = requests.index(TRIGGER)
    assert requests.count(TRIGGER) == 1 and requests[:asked].count("GET ") > len(STARTING)
    assert requests[-1] == "GET /checkpoints"


def test_a_cluster_that_refuses_the_request_takes_its_checkpoint_at_the_interval():
    given = answers([RUNNING], [NONE, COMPLETED])
    del given[TRIGGER]
    with flink(given) as (rest, _):
        first_checkpoint.wait(rest, JOB, SILENT)


def test_attempts_that_failed_while_tasks_started_are_counted():
    with flink(answers([RUNNING], [NONE, recorded.checkpoints(0, failed="tasks are not running")])) as (rest, _):
        assert first_checkpoint.wait(rest, JOB, SILENT) == 1


def test_a_job_that_recovers_from_one_failure_is_waited_for():
    failed_once = recorded.exceptions((1, LOST))
    with flink(answers([RUNNING, RESTARTING, RUNNING], [NONE, NONE, COMPLETED], failed_once)) as (rest, _):
        first_checkpoint.wait(rest, JOB, SILENT)


@pytest.mark.parametrize(
    ("jobs", "checkpoints", "failures", "words", "hint"),
    [
        ([*STARTING, recorded.job("FAILED")], [NONE], ONE_FAILURE, "is FAILED before its first.*'pump'", "logs"),
        ([RUNNING, recorded.job("CANCELED")], [NONE], NO_FAILURES, "is CANCELED before its first checkpoint", "submit"),
        ([*STARTING, RESTARTING], [NONE], TWO_FAILURES, "fails again and again.*KeyError: 'pump'", "stream stop"),
        ([RUNNING, RESTARTING], [NONE], TWO_FAILURES, "fails again and again.*KeyError: 'pump'", "stream stop"),
    ],
)  # fmt: skip
def test_a_job_that_fails_before_is_an_error_with_its_cause(jobs, checkpoints, failures, words, hint):
    with flink(answers(jobs, checkpoints, failures)) as (rest, _), pytest.raises(EugenieError, match=words) as raised:
        first_checkpoint.wait(rest, JOB, SILENT)
    assert JOB in raised.value.reason and hint in str(raised.value.hint) and "exceptions" in str(raised.value.hint)


@pytest.mark.parametrize(
    ("jobs", "checkpoints", "words"),
    [
        ([recorded.job("INITIALIZING")], [NONE], "does not run: it is INITIALIZING after 0 s"),
        ([recorded.job("RUNNING", tasks="SCHEDULED")], [NONE], "does not run: it is INITIALIZING"),
        ([RUNNING], [NONE], "runs, but has not completed its first checkpoint after 0 s"),
        ([RUNNING], [recorded.checkpoints(failed="No space left on device")], "after 0 s: No space left on device"),
    ],
)
def test_the_wait_is_bounded_and_says_what_is_missing(jobs, checkpoints, words):
    with flink(answers(jobs, checkpoints)) as (rest, _), pytest.raises(EugenieError, match=words) as raised:
        first_checkpoint.wait(rest, JOB, SILENT, within_s=0)
    assert "stream status" in str(raised.value.hint)


def test_an_interrupted_wait_leaves_the_job_running_and_says_so(monkeypatch):
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(first_checkpoint.time, "sleep", interrupt)
    log = ProgressLog()
    with flink(answers([RUNNING], [NONE])) as (rest, requests), pytest.raises(KeyboardInterrupt):
        first_checkpoint.wait(rest, JOB, log)
    assert not [request for request in requests if request.startswith("PATCH")]
    assert "keeps running" in log.lines[-1] and JOB in log.lines[-1]


def test_the_state_of_a_job_counts_all_of_its_tasks():
    assert flink_rest.state_of(recorded.job("RUNNING", tasks="SCHEDULED")) == "INITIALIZING"
