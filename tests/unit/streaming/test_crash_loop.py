"""A job that fails again and again is told from one that failed once, or long ago, and the cause is named."""

from __future__ import annotations

import pytest
from support import recorded_flink as recorded
from support.recorded_flink import JOB, KEY_ERROR, LOST, NOW, flink

from eugenie_cli.streaming import crash_loop
from eugenie_cli.streaming.stack_trace import summary

GONE = "java.util.concurrent.TimeoutException: Heartbeat of TaskManager timed out."
SHUTTING_DOWN = "org.apache.flink.util.FlinkExpectedException: The TaskExecutor is shutting down."


@pytest.mark.parametrize(
    ("failures", "completed", "expected"),
    [
        ([], None, None),
        ([(5, GONE)], None, None),  # one failure: Flink's restart may be all it needs
        ([(5, KEY_ERROR), (9, KEY_ERROR)], None, (2, "KeyError: 'pump'")),
        ([(5, KEY_ERROR), (9, KEY_ERROR)], 60, (2, "KeyError: 'pump'")),
        ([(5, KEY_ERROR), (9, KEY_ERROR), (90, GONE)], 60, (2, "KeyError: 'pump'")),
        ([(5, GONE), (90, GONE)], 60, None),  # it made progress in between
        ([(50, GONE), (90, GONE)], 1, None),  # it works again
        ([(200, GONE), (230, GONE)], None, None),  # it has run for minutes, with a long interval between checkpoints
        ([(5, LOST), (30, LOST), (60, SHUTTING_DOWN), (61, KEY_ERROR)], None, (4, "KeyError: 'pump'")),
        ([(5, LOST), (30, SHUTTING_DOWN)], None, (2, summary(LOST))),  # nothing else is known
    ],
)
def test_failures_since_the_last_checkpoint_count(failures, completed, expected):
    checkpoints = recorded.checkpoints(completed)
    with flink(
        {
            "GET ": [recorded.job("RESTARTING")],
            "GET /exceptions": [recorded.exceptions(*failures)],
            "GET /checkpoints": [checkpoints],
        }
    ) as (rest, _):
        loop = crash_loop.of(rest, JOB)
    assert (None if loop is None else (loop.failures, loop.cause)) == expected
    assert loop is None or "since its last checkpoint" in str(loop)


def test_a_job_without_a_jobmaster_is_not_asked_for_failures():
    with flink({"GET ": [recorded.job("INITIALIZING")]}) as (rest, requests):
        assert crash_loop.of(rest, JOB) is None
    assert requests == ["GET "]


def test_an_unknown_job_is_not_in_a_loop():
    with flink({}) as (rest, _):
        assert crash_loop.of(rest, JOB) is None


def test_statistics_without_a_checkpoint_have_no_instant():
    assert crash_loop.last_completed_ms({}) == crash_loop.last_completed_ms({"latest": {"completed": None}}) == 0
    assert crash_loop.last_completed_ms(recorded.checkpoints(3)) == NOW - 3_000
