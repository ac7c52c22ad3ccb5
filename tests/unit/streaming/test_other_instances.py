"""A job of the same site in another workspace is noticed by its group, whose offsets advance, and named."""

from __future__ import annotations

import itertools
import time

import pytest
from support.chaos import ProgressLog

from eugenie_cli.broker.consume import Record
from eugenie_cli.broker.positions import TopicState
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.streaming import other_instances
from eugenie_cli.streaming.job import job_of
from eugenie_cli.streaming.other_instances import advanced, is_other

OWN, FIRST, COLLEAGUE = "eugenie.plant@vm-11111111", "eugenie.plant", "eugenie.plant@laptop-7-22222222"


@pytest.mark.parametrize(
    ("name", "own", "other"),
    [
        (FIRST, OWN, True),
        (COLLEAGUE, OWN, True),
        (OWN, OWN, False),
        (COLLEAGUE, FIRST, True),
        (FIRST, FIRST, False),
        ("eugenie.plant2", OWN, False),
        ("eugenie.plant.north", OWN, False),
        ("eugenie.plant.north@vm-33333333", OWN, False),
        ("grafana", OWN, False),
        ("my-eugenie.plant@x-1", OWN, False),
    ],
)
def test_groups_of_a_site_are_told_from_those_of_others(name, own, other):
    assert is_other(name, own, "plant") == other


@pytest.mark.parametrize(
    ("before", "now", "read"),
    [
        ({"a": {0: 5}}, {"a": {0: 5}}, {}),
        ({"a": {0: 5}}, {"a": {0: 9, 1: 2}}, {"a": 6}),
        ({"a": {0: 5}, "b": {0: 1}}, {"a": {0: 5}, "b": {0: 2}}, {"b": 1}),
        ({"a": {0: 5}}, {"a": {}}, {}),  # the group was deleted
        ({"a": {0: 5}}, {"a": {0: 0}}, {}),  # its offsets were reset
    ],
)
def test_offsets_that_advance_are_counted(before, now, read):
    assert advanced(before, now) == read


@pytest.fixture
def broker(site_of, monkeypatch):
    """`broker(names, committed, end, age_s)`: the groups, their offsets in turn, the end, the age of unread records."""
    monkeypatch.setattr(other_instances, "POLL_S", 0.01)
    monkeypatch.setattr(other_instances, "QUIET_S", 0.05)
    monkeypatch.setattr(other_instances, "LONGEST_S", 0.2)

    def give(names, committed, end=100, age_s=1.0):
        turns = {name: itertools.chain(offsets, itertools.repeat(offsets[-1])) for name, offsets in committed.items()}
        monkeypatch.setattr(
            other_instances.groups,
            "names",
            lambda _, selects: None if names is None else [name for name in names if selects(name)],
        )
        positions = other_instances.positions
        monkeypatch.setattr(
            positions, "committed", lambda _, group, topic: next(turns[group]) if group in turns else {}
        )
        monkeypatch.setattr(positions, "marks", lambda *_: {0: (0, end)})
        monkeypatch.setattr(positions, "look", lambda _, topic: TopicState(topic, "id", {0: 0}, {0: end}))
        written = int((time.time() - age_s) * 1000)
        monkeypatch.setattr(
            other_instances.consume, "stream", lambda *_, **__: iter([Record("t", 0, 0, written, None, b"")])
        )
        return job_of(site_of())

    return give


@pytest.mark.parametrize("name", [FIRST, COLLEAGUE])
def test_a_running_job_of_another_workspace_is_refused_and_named(broker, monkeypatch, name):
    monkeypatch.setattr("eugenie_cli.streaming.job.instance.of", lambda _: "vm-11111111")
    job = broker([name, OWN, "grafana"], {name: [{0: 50}, {0: 50}, {0: 70}]})
    with pytest.raises(EugenieError, match=name) as raised:
        other_instances.refuse(job, 10_000, ProgressLog())
    assert raised.value.exit_code is ExitCode.REFUSED
    assert "20 records" in raised.value.reason and ("laptop-7" in raised.value.reason) == (name == COLLEAGUE)
    assert all(words in str(raised.value.hint) for words in ("stream stop", "site:", "--beside"))


@pytest.mark.parametrize(
    ("names", "committed", "age_s"),
    [
        ([], {}, 1),
        (["grafana", FIRST], {FIRST: [{0: 50}]}, 1),  # the workspace's own group
        ([COLLEAGUE], {COLLEAGUE: [{}]}, 1),  # it has never committed
        ([COLLEAGUE], {COLLEAGUE: [{0: 50}]}, 3_600),  # stopped an hour ago
        ([COLLEAGUE], {COLLEAGUE: [{0: 50}]}, 1),  # stopped just now: its offsets stand still
        (None, {}, 1),  # this user may not list groups
    ],
)
def test_groups_that_stand_still_are_no_reason(broker, names, committed, age_s):
    log = ProgressLog()
    other_instances.refuse(broker(names, committed, age_s=age_s), 10_000, log)
    assert not [line for line in log.lines if "may be running" in line]


def test_where_nothing_arrives_a_group_that_has_read_everything_is_mentioned(broker):
    log = ProgressLog()
    other_instances.refuse(broker([COLLEAGUE], {COLLEAGUE: [{0: 100}]}), 10_000, log)
    assert COLLEAGUE in log.lines[-1] and "may be running" in log.lines[-1]


def test_the_furthest_offsets_of_other_workspaces_are_where_a_new_one_begins(broker, monkeypatch):
    monkeypatch.setattr("eugenie_cli.streaming.job.instance.of", lambda _: "vm-11111111")
    job = broker([FIRST, COLLEAGUE, OWN], {FIRST: [{0: 50, 1: 9}], COLLEAGUE: [{0: 70, 2: 1}], OWN: [{0: 99}]})
    assert other_instances.committed(job) == {0: 70, 1: 9, 2: 1}
    job = broker(None, {FIRST: [{0: 50}]})
    assert other_instances.committed(job) == {0: 50}
