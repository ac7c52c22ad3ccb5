"""A status as the terminal shows it."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest

from eugenie_cli.commands.stream_table import check_replay, duration, show
from eugenie_cli.console import Console
from eugenie_cli.errors import EugenieError
from eugenie_cli.streaming.metrics import OperatorLoad
from eugenie_cli.streaming.problems import Problem
from eugenie_cli.streaming.served_models import NO_SERVER, ModelServer
from eugenie_cli.streaming.status import StreamStatus

RUNNING = StreamStatus(
    state="RUNNING",
    job_id="a1b2",
    address="http://127.0.0.1:8081/#/job/a1b2/overview",
    uptime_s=7_300.0,
    restarts=2,
    failure="java.lang.Exception: TaskManager lost",
    failed_at="2026-03-01T00:00:00.000Z",
    lag=1_234,
    readings_per_s=5_012.4,
    scores_per_s=625.0,
    watermark="2026-03-01T02:00:00.000Z",
    watermark_delay_s=2.5,
    checkpoints=730,
    failed_checkpoints=1,
    last_checkpoint_bytes=3 * 2**20,
    last_checkpoint_s=0.21,
    last_checkpoint_age_s=4.0,
    predict_calls=1_000,
    predict_windows=40_000,
    predict_mean_ms=12.3,
    dead_letters={"bad-json": 3, "late": 1_200},
    operators=(OperatorLoad("Source: readings -> decode" * 4, 2, 0.62, 0.0, 5_012.4, 30.0),),
    model_server=ModelServer("127.0.0.1:8500", False, f"{NO_SERVER} (UNAVAILABLE)"),
    notes=("the lag is unknown: a reason",),
    figures_age_s=0.4,
)


def shown(status: StreamStatus) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    show(Console(out, err), status)
    return " ".join(out.getvalue().split()), err.getvalue()


@pytest.mark.parametrize(
    "words",
    [
        "state RUNNING for 2.0 h, 2 restarts",
        "last failure 2026-03-01T00:00:00.000Z: java.lang.Exception: TaskManager lost",
        "figures 0.4 s old",
        "lag 1,234 records not read yet",
        "readings 5,012.4 records/s in",
        "scores 625.0 records/s out",
        "event time 2026-03-01T02:00:00.000Z, 2.5 s behind the clock",
        "checkpoints 730 done, 1 failed; the last 4.0 s ago, 3.00 MiB in 0.21 s",
        "Predict 1,000 calls for 40,000 windows, 12.3 ms each",
        "dead letters 3 bad-json, 1,200 late",
        "model server 127.0.0.1:8500: unreachable: readings wait in Kafka, nothing is lost (UNAVAILABLE)",
        "... 2 62% 0% 5,012.4 30.0",
    ],
)
def test_a_running_job(words):
    assert words in shown(RUNNING)[0]


def test_failed_queries_are_reported_apart_from_the_data():
    assert shown(RUNNING)[1] == "the lag is unknown: a reason\n"


def test_a_stopped_job_shows_where_it_resumes_and_no_empty_figures():
    server = ModelServer("127.0.0.1:8500", True, "reachable", {"pump": 3})
    out, _ = shown(StreamStatus("STOPPED", None, "x", savepoint="file:/s", model_server=server))
    assert "state STOPPED" in out and "savepoint file:/s" in out and "reachable; pump 3" in out
    assert "lag" not in out and "Predict" not in out


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"repeated_readings": 7_200}, "repeated 7,200 readings of an unchanged instant and value"),
        ({"ignored_readings": 890_807}, "ignored 890,807 readings of tags that the site does not have"),
        (
            {"conflicting_readings": 1_200},
            "conflicts 1,200 readings beside another one at the instant",
        ),
        ({"hidden": 58}, "1,234 records not read yet; 58 more in or after open transactions"),
        ({"figures_age_s": 90.0}, "figures STALE: 1.5 min old"),
        ({"figures_age_s": None}, "figures of an unknown age"),
        ({"state": "RESTARTING", "figures_age_s": None}, "figures none: not all of its tasks are running"),
    ],
)
def test_the_age_of_figures_is_shown(changed, words):
    assert words in shown(replace(RUNNING, **changed))[0]


def test_problems_are_shown_with_the_next_step():
    problems = (Problem("the stream job is FAILED", "eugenie stream submit"), Problem("Kafka does not answer: x", "y"))
    assert shown(replace(RUNNING, problems=problems))[1].splitlines()[1:] == [
        "the stream job is FAILED; next: eugenie stream submit",
        "Kafka does not answer: x; next: y",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (59.9, "59.9 s"), (60, "1.0 min"), (5_400, "1.5 h"), (90_000, "1.0 d"), (-120, "-2.0 min")],
)
def test_durations(seconds, words):
    assert duration(seconds) == words


def test_options_of_the_other_kind_of_replay_are_refused(tmp_path):
    check_replay(True, "2", tmp_path, None, None, False)
    check_replay(False, "champion", None, None, 10.0, True)
    with pytest.raises(EugenieError, match="--speed, --force: no effect with --bounded"):
        check_replay(True, "champion", None, None, 1.0, True)
    with pytest.raises(EugenieError, match="--scores, --model-version: only for --bounded"):
        check_replay(False, "2", tmp_path, None, None, False)
