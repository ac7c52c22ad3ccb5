"""Where the next job begins, for every combination of what the last one left and what has become of the topic."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import pytest
from support.chaos import ProgressLog

from eugenie_cli.broker.positions import TopicState
from eugenie_cli.engines.job_record import JobRecord
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.streaming import resume_point
from eugenie_cli.streaming.job import job_of
from eugenie_cli.streaming.start_position import Snapshot, Start

AUTO, SAVEPOINT, LATEST, EARLIEST = Start("auto"), Start("savepoint"), Start("latest"), Start("earliest")
STATE = Snapshot("savepoint", "file:/s")
MADE = {"p-1": 1_767_866_400_000}
LAST = JobRecord("job", "http://x", savepoint=STATE.path, topic="one", made_until=MADE)
NEWER = {"p-2": 1_767_866_500_000}
"""The last rows according to the score records."""
DRAINED = replace(LAST, savepoint=None, drained=True, offsets={"0": 40, "1": 7})

RESUMED = replace(LAST, savepoint=None, resumed_from=STATE.path, offsets={"0": 40})


@dataclass(frozen=True)
class Case:
    """What is found: the last record, committed offsets, the state with its offsets, the topic."""

    requested: Start = AUTO
    last: JobRecord | None = None
    committed: dict[int, int] = field(default_factory=dict)
    state: dict[int, int] | None = None
    """The offsets in the state; None: there is none."""
    remote: bool = False
    """The state is on storage that only Flink can reach."""
    begin: dict[int, int] = field(default_factory=lambda: {0: 0, 1: 0})
    end: dict[int, int] = field(default_factory=lambda: {0: 100, 1: 100})
    topic: str = "one"
    others: dict[int, int] = field(default_factory=dict)


@pytest.fixture
def found(site_of, monkeypatch):
    """`found(case)`: the place and what was reported."""

    def find(case: Case) -> tuple[resume_point.Place, list[str]]:
        topic = TopicState("plant.readings", case.topic, case.begin, case.end)
        monkeypatch.setattr(resume_point.positions, "look", lambda *_: topic)
        monkeypatch.setattr(resume_point.positions, "committed", lambda *_: case.committed)
        monkeypatch.setattr(resume_point.other_instances, "committed", lambda _: case.others)
        monkeypatch.setattr(resume_point.made_rows, "made_until", lambda _: NEWER)
        monkeypatch.setattr(resume_point, "at", lambda *_: None if case.remote else case.state)
        state = None if case.state is None else STATE
        monkeypatch.setattr(resume_point.start_position, "state", lambda *_: state)
        log = ProgressLog()
        place = resume_point.find(job_of(site_of()), case.last, case.requested, log)
        return place, [line.split(" ", 1)[1] for line in log.lines]

    return find


@pytest.mark.parametrize(
    ("case", "offsets", "start_offsets", "made_until"),
    [
        (Case(), {}, {}, {}),  # a first job: Flink reads from the first record
        (Case(last=LAST, state={0: 40, 1: 7}), {0: 40, 1: 7}, {}, MADE),
        (Case(last=LAST, committed={0: 38, 1: 7}, state={0: 40, 1: 7}), {0: 40, 1: 7}, {}, MADE),
        # a partition was added since: the state knows nothing of it, and Flink reads it from its first record
        (Case(last=LAST, state={0: 40}), {0: 40}, {}, MADE),
        (Case(last=LAST, committed={0: 38}), {0: 38}, {}, MADE),
        # only Flink can read the state: of the last stop, or where a job began that ended before a checkpoint
        (Case(last=LAST, committed={0: 38}, state={}, remote=True), {0: 38}, {}, MADE),
        (Case(last=RESUMED, committed={0: 40}, state={}, remote=True), {0: 40}, {}, MADE),
        (Case(EARLIEST, last=LAST, committed={0: 38}, begin={0: 5, 1: 0}), {0: 5, 1: 0}, {0: 5, 1: 0}, {}),
        (Case(LATEST, last=LAST, committed={0: 38}), {0: 100, 1: 100}, {0: 100, 1: 100}, MADE),
        # after a drain: exactly after the last reading; what was empty or added begins at its first record
        (Case(last=DRAINED, committed={0: 39}), {0: 40, 1: 7}, {0: 40, 1: 7}, MADE),
        (
            Case(last=DRAINED, begin={0: 0, 1: 0, 2: 3}, end={0: 100, 1: 100, 2: 9}),
            {0: 40, 1: 7, 2: 3},
            {0: 40, 1: 7, 2: 3},
            MADE,
        ),
    ],
)
def test_where_it_begins(found, case, offsets, start_offsets, made_until):
    place, said = found(case)
    assert (place.offsets, place.start_offsets, place.made_until) == (offsets, start_offsets, made_until)
    assert (place.state is not None) == (case.state is not None) and place.topic == case.topic
    assert said == []


@pytest.mark.parametrize(
    ("case", "offsets", "words"),
    [
        (
            Case(last=LAST, state={0: 40, 1: 7}, begin={0: 65, 1: 0}),
            {0: 40, 1: 7},
            "partition 0 .* 25 records were rem",
        ),
        (Case(last=LAST, committed={0: 40}, begin={0: 65, 1: 0}), {0: 40}, "25 records were removed by retention"),
        (Case(last=DRAINED, begin={0: 65, 1: 0}), {0: 65, 1: 7}, "25 records were removed by retention"),
        (Case(last=DRAINED, topic="two", begin={0: 2, 1: 0}), {0: 2, 1: 0}, "recreated since the stream was drained"),
        # the state of a later job is lost: its readings are not read again
        (Case(last=LAST, committed={0: 50}, state={0: 40}), {0: 50}, "older than the readings of a later job"),
        (Case(last=RESUMED, committed={0: 50}, state={}, remote=True), {0: 50}, "older than the readings of a later"),
        (Case(others={0: 70}), {0: 70}, "from other workspaces"),
    ],
)
def test_what_differs_from_a_plain_continuation_is_said(found, case, offsets, words):
    place, said = found(case)
    assert place.offsets == offsets
    (message,) = said
    assert re.search(words, message), message


@pytest.mark.parametrize(
    ("case", "offsets", "made_until"),
    [
        (Case(EARLIEST, last=LAST, topic="two"), {0: 0, 1: 0}, NEWER),
        (Case(LATEST, last=LAST, topic="two"), {0: 100, 1: 100}, {**MADE, **NEWER}),
        (Case(last=DRAINED, topic="two"), {0: 0, 1: 0}, MADE),
    ],
)
def test_a_job_that_begins_in_a_new_topic_of_the_name_does_not_repeat_the_last_rows(found, case, offsets, made_until):
    """Gateways may send readings again of which the former job has made the rows."""
    place, (said,) = found(case)
    assert (place.topic, place.offsets, place.made_until) == ("two", offsets, made_until)
    assert "recreated" in said


@pytest.mark.parametrize("case", [Case(EARLIEST, topic="two"), Case(topic="two")])
def test_rows_of_a_topic_of_another_name_are_not_those_of_this_one(found, case):
    last = replace(LAST if case.requested is EARLIEST else DRAINED, shape={"kafka": {"readings": "other.readings"}})
    assert found(replace(case, last=last))[0].made_until == {}


def test_a_new_workspace_begins_where_others_of_the_site_are(found):
    """Flink must be told: its own group has no offsets."""
    place, _ = found(Case(others={0: 70, 1: 3}))
    assert place.start_offsets == {0: 70, 1: 3} and place.state is None
    place, said = found(Case(committed={0: 5}, others={0: 70}))
    assert (place.offsets, place.start_offsets, said) == ({0: 5}, {}, [])


@pytest.mark.parametrize("requested", [AUTO, SAVEPOINT])
@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"topic": "two"}, "was recreated since the last job read it"),
        ({"end": {0: 12, 1: 100}}, "read up to 40, but it ends at 12"),
        ({"begin": {0: 0}, "end": {0: 100}}, "partition does not exist"),
    ],
)
def test_another_topic_of_the_name_is_refused(found, requested, changed, words):
    for case in (
        Case(requested, last=LAST, state={0: 40, 1: 7}, **changed),
        Case(requested, last=LAST, committed={0: 40, 1: 7}, **changed),
    ):
        with pytest.raises(EugenieError, match=words) as raised:
            found(case)
        assert raised.value.exit_code is ExitCode.REFUSED and "--start-at earliest" in str(raised.value.hint)


def test_the_user_can_begin_another_topic_anew(found):
    place, said = found(Case(EARLIEST, last=LAST, committed={0: 400}, topic="two", end={0: 12, 1: 0}))
    assert (place.start_offsets, place.topic, place.state) == ({0: 0, 1: 0}, "two", None)
    assert ["begins in the new topic" in line for line in said] == [True]
