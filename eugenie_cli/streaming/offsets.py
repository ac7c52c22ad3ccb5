"""Compares the offsets in a job's state with the readings topic: does the topic still hold the next records?

A job resumes at offsets. In a topic that was recreated under the same name they mean nothing, and records that
retention has removed can no longer be read. In both cases Kafka's client would silently start somewhere else.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

from eugenie_cli.broker.positions import TopicState
from eugenie_cli.errors import EugenieError, ExitCode

READ_NEW_TOPIC = (
    "`eugenie stream submit --start-at earliest` reads the new topic from its first record, with empty windows"
)

_SPLIT = struct.Struct(">iqq")
_NO_END = -(2**63)
"""Flink's Kafka source writes an unbounded partition as its number, the next offset and this value."""

_LARGEST_FILE = 64 * 2**20


def of_snapshot(folder: Path, topic: str) -> dict[int, int]:
    """Partition -> the next offset to read, from a complete savepoint or checkpoint on this machine.

    Omits partitions that have not been read. Raises EugenieError when the folder cannot be read.
    """
    name = topic.encode()
    start = len(name).to_bytes(2, "big") + name
    next_offsets: dict[int, int] = {}
    try:
        for file in sorted(folder.iterdir()):
            if file.is_file() and file.stat().st_size <= _LARGEST_FILE:
                for number, offset in _splits(file.read_bytes(), start):
                    # the enumerator's list, separate from the readers', holds where each partition began
                    next_offsets[number] = max(next_offsets.get(number, 0), offset)
    except OSError as error:
        raise EugenieError(
            f"{folder} cannot be read: {error.strerror}", "check the folder's owner and permissions"
        ) from error
    return {number: offset for number, offset in next_offsets.items() if offset > 0}


def _splits(content: bytes, start: bytes) -> list[tuple[int, int]]:
    splits, at = [], 0
    while (at := content.find(start, at)) >= 0:
        at += len(start)
        if at + _SPLIT.size <= len(content):
            number, offset, end = _SPLIT.unpack_from(content, at)
            if end == _NO_END and number >= 0:  # negative offsets stand for earliest, latest, committed
                splits.append((number, offset))
    return splits


def check(topic: TopicState, last_identity: str | None, positions: Mapping[int, int]) -> list[str]:
    """Messages about records that retention removed before they were read. `positions`: partition -> next offset.

    Raises EugenieError (REFUSED) when the positions belong to another topic.
    """
    if positions:
        check_identity(topic.name, topic.identity, last_identity)
    beyond = [
        f"  partition {number}: read up to {offset}, "
        + (f"but it ends at {topic.end[number]}" if number in topic.end else "but the partition does not exist")
        for number, offset in sorted(positions.items())
        if offset > topic.end.get(number, -1)
    ]
    if beyond:
        raise EugenieError(
            f"topic {topic.name} holds less than the last job had read from it: it was recreated, or records were"
            " lost\n" + "\n".join(beyond),
            READ_NEW_TOPIC,
            ExitCode.REFUSED,
        )
    return [
        f"partition {number} of {topic.name}: {begin - offset} records were removed by retention before they were read"
        f" (offsets {offset} to {begin - 1}); they are lost to the stream"
        for number, offset in sorted(positions.items())
        if offset < (begin := topic.begin[number])
    ]


def check_identity(topic: str, identity: str | None, last_identity: str | None) -> None:
    """Raise EugenieError (REFUSED) when a topic is not the one that the last job read."""
    if is_another(identity, last_identity):
        raise EugenieError(
            f"topic {topic} was recreated since the last job read it: that job's offsets belong to the former topic of"
            " this name",
            READ_NEW_TOPIC,
            ExitCode.REFUSED,
        )


def is_another(identity: str | None, last_identity: str | None) -> bool:
    """Whether two ids are those of different topics; False while either is unknown."""
    return None not in (identity, last_identity) and identity != last_identity


def while_running(topic: TopicState, last_identity: str | None, read: Mapping[int, int]) -> list[str]:
    """`check` for a running job, which can no longer be refused: the hint says how to start over."""
    try:
        return check(topic, last_identity, {number: offset for number, offset in read.items() if offset > 0})
    except EugenieError as error:
        raise EugenieError(
            error.reason, f"`eugenie stream stop --no-savepoint`, then {error.hint}", ExitCode.REFUSED
        ) from None
