"""The offsets in a state: read from Flink's files, and compared with the topic."""

from __future__ import annotations

import struct

import pytest

from eugenie_cli.broker.positions import TopicState
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.streaming.offsets import check, of_snapshot, while_running

TOPIC = "plant.readings"
NO_END = -(2**63)


def split(topic: str, number: int, offset: int, end: int = NO_END) -> bytes:
    """A split as KafkaPartitionSplitSerializer writes it."""
    return len(topic).to_bytes(2, "big") + topic.encode() + struct.pack(">iqq", number, offset, end)


def topic(begin: dict[int, int], end: dict[int, int], identity: str | None = "one") -> TopicState:
    return TopicState(TOPIC, identity, begin, end)


def test_the_readers_offsets_are_found_in_any_file(tmp_path):
    """The enumerator stores where each partition began, as a code or an offset; large state is in separate files."""
    began = split(TOPIC, 0, -3) + split(TOPIC, 1, 10) + split(TOPIC, 2, -1)
    (tmp_path / "_metadata").write_bytes(b"\x49\x60\x67\x2d" + began + b"..." + split(TOPIC, 0, 4_711))
    (tmp_path / "a1b2").write_bytes(b"state" + split(TOPIC, 1, 2**40) + split("plant.readings2", 1, 2**50))
    (tmp_path / "c3d4").write_bytes(split("plant.reading", 0, 9_999) + split(TOPIC, 0, 5_000, end=5_000))
    (tmp_path / "e5f6").write_bytes(split(TOPIC, 1, 1)[:-9])
    assert of_snapshot(tmp_path, TOPIC) == {0: 4_711, 1: 2**40}


def test_a_snapshot_without_a_partition_has_no_offsets(tmp_path):
    (tmp_path / "_metadata").write_bytes(split(TOPIC, 0, -2))
    assert of_snapshot(tmp_path, TOPIC) == {}
    with pytest.raises(EugenieError, match="cannot be read"):
        of_snapshot(tmp_path / "gone", TOPIC)


@pytest.mark.parametrize(
    ("positions", "begin", "end", "identity"),
    [
        ({0: 10}, {0: 0}, {0: 10}, "one"),  # everything was read
        ({0: 10}, {0: 10}, {0: 10}, "one"),  # and retention removed everything
        ({0: 10}, {0: 0, 1: 0}, {0: 12, 1: 5}, "one"),  # a partition was added
        ({0: 10}, {0: 0}, {0: 10}, None),  # brokers that report no topic id
        ({}, {0: 0}, {0: 0}, "two"),  # nothing was read from the other topic
    ],
)
def test_offsets_that_the_topic_still_holds_are_accepted(positions, begin, end, identity):
    assert check(topic(begin, end, identity), "one", positions) == []
    assert check(topic(begin, end, identity), None, positions) == []


@pytest.mark.parametrize(
    ("positions", "begin", "end", "identity", "words"),
    [
        ({0: 10}, {0: 0}, {0: 9}, "one", "partition 0: read up to 10, but it ends at 9"),
        ({0: 10}, {0: 0}, {0: 0}, None, "but it ends at 0"),
        ({0: 10, 1: 4}, {0: 0}, {0: 10}, "one", "partition 1: read up to 4, but the partition does not exist"),
        ({0: 10}, {0: 0}, {0: 99}, "two", "was recreated since the last job read it"),
        ({0: 10}, {0: 20}, {0: 99}, "two", "was recreated since the last job read it"),
    ],
)
def test_another_topic_of_the_same_name_is_refused(positions, begin, end, identity, words):
    with pytest.raises(EugenieError, match=words) as raised:
        check(topic(begin, end, identity), "one", positions)
    assert raised.value.exit_code is ExitCode.REFUSED and "--start-at earliest" in str(raised.value.hint)
    with pytest.raises(EugenieError, match=words) as raised:
        while_running(topic(begin, end, identity), "one", positions)
    assert "stream stop" in str(raised.value.hint) and "--start-at earliest" in str(raised.value.hint)


def test_records_removed_by_retention_are_counted_by_partition():
    messages = check(topic({0: 25, 1: 7, 2: 0}, {0: 40, 1: 7, 2: 9}), "one", {0: 10, 1: 5, 2: 9})
    assert [message.partition(":")[2].split(" were")[0].strip() for message in messages] == ["15 records", "2 records"]
    assert "offsets 10 to 24" in messages[0] and "lost" in messages[0]


def test_a_job_that_has_read_nothing_has_lost_nothing():
    assert while_running(topic({0: 100}, {0: 200}), "one", {0: 0}) == []
