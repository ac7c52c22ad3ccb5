"""Liveness is green only while rows are scored; otherwise each failed component is named with the next step."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eugenie_cli.anomalies.last_rows import Row
from eugenie_cli.engines.job_record import JobRecord
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming.liveness import DOWN, LATE, OK, UNKNOWN, Facts, Liveness, ago, judge, limit_ms
from eugenie_cli.streaming.liveness_watch import should_run

NOW = 1_767_866_712_000  # 2026-01-08T10:05:12Z


def site(**sections) -> Site:
    return Site.model_validate(
        {
            "site": "plant",
            "timezone": "Europe/Berlin",
            "classes": {
                "pump": {"sensors": [{"name": "pressure"}], "step": "1s", "max_gap": "5s"},
                "tank": {"sensors": [{"name": "level"}], "step": "1min", "max_gap": "5min"},
            },
            "assets": {"p-1": {"class": "pump"}, "p-2": {"class": "pump"}, "t-1": {"class": "tank"}},
            **sections,
        }
    )


def scored(**ages_s: float) -> dict[str, Row]:
    """Asset -> a row that arrived the given number of seconds ago, measured a second earlier."""
    arrived = {name.replace("_", "-"): NOW - int(age * 1000) for name, age in ages_s.items()}
    return {name: Row(at - 1_000, at) for name, at in arrived.items()}


ALIVE = Facts(at_ms=NOW, contact_ms=NOW, scored=scored(p_1=2, p_2=3, t_1=50), arrived_ms=NOW - 2_000)


def life(now: int = NOW, assets=(), **changes) -> Liveness:
    return judge(site(), replace(ALIVE, **changes), now, assets)


def test_it_is_green_with_a_scored_row_of_every_class_and_gives_its_time():
    result = life()
    assert (result.level, result.troubles) == (OK, ())
    assert result.sign == "last row scored 2 s ago (of 11:05:09); job RUNNING"


def test_before_the_first_answer_it_is_not_green():
    assert judge(site(), None, NOW).level == UNKNOWN


@pytest.mark.parametrize(
    ("changes", "level", "words", "step"),
    [
        # Kafka: killed, hanging, refusing, without the topic
        ({"kafka": "timed out", "contact_ms": NOW - 60_000}, DOWN, "contact with Kafka since 11:04:12", "eugenie up"),
        ({"kafka": "timed out", "contact_ms": None}, DOWN, "no contact with Kafka (timed out)", "eugenie up"),
        ({"has_topic": False, "scored": {}}, DOWN, "Kafka has no topic plant.scores", "eugenie stream submit"),
        # the job
        ({"job": "FAILED"}, DOWN, "stream job not RUNNING: FAILED", "eugenie stream submit"),
        ({"job": "STOPPED"}, DOWN, "stream job not RUNNING: STOPPED", "eugenie stream submit"),
        ({"job": "FINISHED"}, DOWN, "stream job not RUNNING: FINISHED", "eugenie stream submit"),
        ({"job": "RESTARTING"}, DOWN, "stream job not RUNNING: RESTARTING", "eugenie stream status"),
        ({"job": "INITIALIZING"}, DOWN, "stream job not RUNNING: INITIALIZING", "eugenie stream status"),
        # Flink is unreachable: while rows arrive, a job is running somewhere
        ({"job": None, "flink": "it hangs"}, LATE, "whether the stream job is RUNNING: it hangs", "eugenie up"),
        ({"job": None, "flink": "gone", "scored": scored(p_1=600)}, DOWN, "job is RUNNING: gone", "eugenie up"),
        ({"server": "nothing answers there"}, LATE, "without the model server: nothing", "eugenie serve start"),
        # rows
        ({"scored": {}}, LATE, "no scored row of pump found; rows arrive without a score", "eugenie stream status"),
        ({"scored": {}, "arrived_ms": None}, LATE, "no scored row of pump found", "eugenie stream status"),
        ({"scored": scored(p_1=2)}, LATE, "no scored row of tank found", "eugenie stream status"),
        ({"scored": scored(p_1=300, p_2=400, t_1=5)}, LATE, "no row of pump scored for 5 min", "eugenie"),
        ({"scored": scored(p_1=2, p_2=400, t_1=5)}, LATE, "no scored row for more than", "check whether its readings"),
        ({"at_ms": NOW - 60_000}, DOWN, "the last check finished", "stop this command with Ctrl-C"),
    ],
)  # fmt: skip
def test_every_failed_component_is_named_with_the_next_step_and_nothing_is_green(changes, level, words, step):
    result = life(**changes)
    assert result.level == level
    (trouble, *_) = [trouble for trouble in result.troubles if words in trouble.what]
    assert trouble.next.startswith(step)
    assert f"{trouble.what}; next: {trouble.next}" in result.lines


def test_the_worst_trouble_comes_first():
    result = life(job="FAILED", server="away", scored=scored(p_1=500))
    levels = [trouble.level for trouble in result.troubles]
    assert levels == sorted(levels, key=[DOWN, LATE].index) and set(levels) == {DOWN, LATE}


def test_a_class_has_its_own_limit():
    plant = site()
    pump, tank = (limit_ms(plant, plant.classes[name]) for name in ("pump", "tank"))
    assert pump < 60_000 < tank
    for age_ms, level in ((pump, OK), (pump + 1_000, LATE)):
        assert life(scored={**scored(t_1=5), "p-1": Row(0, NOW - age_ms)}).level == level


def test_a_replay_of_old_readings_is_alive_by_its_arrival_time():
    old = Row(1_577_836_800_000, NOW - 1_000)
    result = life(scored={"p-1": old, "t-1": old})
    assert result.level == OK and "(of 2020-01-01 01:00:00)" in result.sign


def test_a_tail_of_one_asset_judges_only_that_asset():
    rows = scored(p_1=2, p_2=400, t_1=1)
    assert life(assets=["p-1"], scored=rows).level == OK
    assert life(assets=["p-2"], scored=rows).level == LATE
    assert "no scored row of pump found" in life(assets=["p-1"], scored=scored(p_2=1)).troubles[0].what


def test_an_asset_that_left_the_site_is_ignored():
    assert life(scored={**ALIVE.scored, "p-9": Row(0, 0)}).level == OK
    assert life(scored={"p-9": Row(NOW, NOW)}).level == LATE


def test_a_job_that_was_stopped_on_purpose_is_red_and_expected():
    assert [trouble.expected for trouble in life(job="STOPPED", should_run=False).troubles] == [True]
    assert [trouble.expected for trouble in life(job="STOPPED", should_run=True).troubles] == [False]


@pytest.mark.parametrize(
    ("last", "job", "expected"),
    [
        (None, "STOPPED", False),
        (JobRecord("a1", "http://x"), "RUNNING", True),
        (JobRecord("a1", "http://x"), "STOPPED", True),  # the cluster has lost it
        (JobRecord("a1", "http://x"), None, True),
        (JobRecord("a1", "http://x"), "FAILED", True),
        (JobRecord("a1", "http://x"), "CANCELED", False),  # stop --no-savepoint, which the record does not mention
        (JobRecord("a1", "http://x", savepoint="file:/s"), "STOPPED", False),
        (JobRecord("a1", "http://x", drained=True), "FINISHED", False),
    ],
)
def test_a_job_should_run_until_somebody_stops_it(last, job, expected):
    assert should_run(last, job) is expected


@pytest.mark.parametrize(
    ("ms", "words"),
    [(-5, "0 s ago"), (3_900, "3 s ago"), (119_000, "119 s ago"), (120_000, "2 min ago"), (3_599_000, "59 min ago"),
     (3_600_000, "1 h ago"), (90_000_000, "1 d ago")],
)  # fmt: skip
def test_ages_in_words(ms, words):
    assert ago(ms) == words
