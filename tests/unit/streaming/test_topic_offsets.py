"""Offsets of a state against the topic: read out of what Flink wrote, and compared with what the brokers have."""

from __future__ import annotations

import struct

import pytest

from eugenie_cli.broker.positions import TopicState
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.streaming.offsets import check, of_snapshot, while_running

TOPIC = "plant.readings"
NO_END = -(2**63)


def split(topic: str, number: int, offset: int, end: int = NO_END) -> bytes:
    """As KafkaPartitionSplitSerializer writes it."""
    return len(topic).to_bytes(2, "big") + topic.encode() + struct.pack(">iqq", number, offset, end)


def topic(begin: dict[int, int], end: dict[int, int], identity: str | None = "one") -> TopicState:
    return TopicState(TOPIC, identity, begin, end)


def test_the_readers_offsets_count_wherever_they_lie(tmp_path):
    """The enumerator keeps where each partition began, in words or in numbers; large state is in files of its own."""
    began = split(TOPIC, 0, -3) + split(TOPIC, 1, 10) + split(TOPIC, 2, -1)
    (tmp_path / "_metadata").write_bytes(b"\x49\x60\x67\x2d" + began + b"..." + split(TOPIC, 0, 4_711))
    (tmp_path / "a1b2").write_bytes(b"state" + split(TOPIC, 1, 2**40) + split("plant.readings2", 1, 2**50))
    (tmp_path / "c3d4").write_bytes(split("plant.reading", 0, 9_999) + split(TOPIC, 0, 5_000, end=5_000))
    (tmp_path / "e5f6").write_bytes(split(TOPIC, 1, 1)[:-9])
    assert of_snapshot(tmp_path, TOPIC) == {0: 4_711, 1: 2**40}


def test_a_snapshot_without_a_partition_says_nothing(tmp_path):
    (tmp_path / "_metadata").write_bytes(split(TOPIC, 0, -2))
    assert of_snapshot(tmp_path, TOPIC) == {}
    with pytest.raises(EugenieError, match="cannot be read"):
        of_snapshot(tmp_path / "gone", TOPIC)


@pytest.mark.parametrize(
    ("positions", "begin", "end", "identity"),
    [
        ({0: 10}, {0: 0}, {0: 10}, "one"),  # all was read
        ({0: 10}, {0: 10}, {0: 10}, "one"),  # and retention took all of it
        ({0: 10}, {0: 0, 1: 0}, {0: 12, 1: 5}, "one"),  # a partition came
        ({0: 10}, {0: 0}, {0: 10}, None),  # brokers that do not tell
        ({}, {0: 0}, {0: 0}, "two"),  # nothing was read of the other topic
    ],
)
def test_what_is_there_is_gone_on_with(positions, begin, end, identity):
    assert check(topic(begin, end, identity), "one", positions) == []
    assert check(topic(begin, end, identity), None, positions) == []


@pytest.mark.parametrize(
    ("positions", "begin", "end", "identity", "words"),
    [
        ({0: 10}, {0: 0}, {0: 9}, "one", "partition 0: read up to 10, and it ends at 9"),
        ({0: 10}, {0: 0}, {0: 0}, None, "and it ends at 0"),
        ({0: 10, 1: 4}, {0: 0}, {0: 10}, "one", "partition 1: read up to 4, and there is no such partition"),
        ({0: 10}, {0: 0}, {0: 99}, "two", "was made anew since the last job read it"),
        ({0: 10}, {0: 20}, {0: 99}, "two", "was made anew since the last job read it"),
    ],
)
def test_another_topic_of_the_name_is_refused(positions, begin, end, identity, words):
    with pytest.raises(EugenieError, match=words) as raised:
        check(topic(begin, end, identity), "one", positions)
    assert raised.value.exit_code is ExitCode.REFUSED and "--start-at earliest" in str(raised.value.hint)
    with pytest.raises(EugenieError, match=words) as raised:
        while_running(topic(begin, end, identity), "one", positions)
    assert "stream stop" in str(raised.value.hint) and "--start-at earliest" in str(raised.value.hint)


def test_what_retention_removed_is_counted_by_partition():
    found = check(topic({0: 25, 1: 7, 2: 0}, {0: 40, 1: 7, 2: 9}), "one", {0: 10, 1: 5, 2: 9})
    assert [words.partition(":")[2].split(" were")[0].strip() for words in found] == ["15 records", "2 records"]
    assert "offsets 10 to 24" in found[0] and "lost" in found[0]


def test_a_job_that_has_read_nothing_has_lost_nothing():
    assert while_running(topic({0: 100}, {0: 200}), "one", {0: 0}) == []
