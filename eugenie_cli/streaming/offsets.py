"""How far a job's state has read the readings topic, and whether the topic still has what comes after that.

A job goes on at offsets. They mean nothing in a topic that was made anew under its name, and what retention has removed
since cannot be read any more: Kafka's client would then begin somewhere else without a word.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

from eugenie_cli.broker.positions import TopicState
from eugenie_cli.errors import EugenieError, ExitCode

ANEW = "`eugenie stream submit --start-at earliest` takes in the new topic from its first record, with empty windows"

_SPLIT = struct.Struct(">iqq")
_NO_END = -(2**63)
"""How Flink's Kafka source writes a partition that it reads without an end: its number, the next offset, this."""

_LARGEST_FILE = 64 * 2**20


def of_snapshot(folder: Path, topic: str) -> dict[int, int]:
    """Partition -> the next offset to read, of a complete savepoint or checkpoint on this machine.

    A partition of which nothing was read is left out. Raises EugenieError when the folder cannot be read.
    """
    name = topic.encode()
    start = len(name).to_bytes(2, "big") + name
    found: dict[int, int] = {}
    try:
        for file in sorted(folder.iterdir()):
            if file.is_file() and file.stat().st_size <= _LARGEST_FILE:
                for number, offset in _splits(file.read_bytes(), start):
                    # the enumerator's own list, beside the readers', has where each partition began
                    found[number] = max(found.get(number, 0), offset)
    except OSError as error:
        raise EugenieError(f"{folder} cannot be read: {error.strerror}", "see who owns the folder") from error
    return {number: offset for number, offset in found.items() if offset > 0}


def _splits(content: bytes, start: bytes) -> list[tuple[int, int]]:
    found, at = [], 0
    while (at := content.find(start, at)) >= 0:
        at += len(start)
        if at + _SPLIT.size <= len(content):
            number, offset, end = _SPLIT.unpack_from(content, at)
            if end == _NO_END and number >= 0:  # negative offsets are words: earliest, latest, committed
                found.append((number, offset))
    return found


def check(topic: TopicState, last_identity: str | None, positions: Mapping[int, int]) -> list[str]:
    """In words, what retention has removed before it was read. `positions`: the next offset to read, by partition.

    Raises EugenieError (REFUSED) when this is not the topic that the positions are of.
    """
    if positions and None not in (last_identity, topic.identity) and last_identity != topic.identity:
        raise EugenieError(
            f"topic {topic.name} was made anew since the last job read it: what that job knows of it is of another"
            " topic of this name",
            ANEW,
            ExitCode.REFUSED,
        )
    beyond = [
        f"  partition {number}: read up to {offset}, "
        + (f"and it ends at {topic.end[number]}" if number in topic.end else "and there is no such partition")
        for number, offset in sorted(positions.items())
        if offset > topic.end.get(number, -1)
    ]
    if beyond:
        raise EugenieError(
            f"topic {topic.name} has less than the last job had read of it: it was made anew, or records were"
            " lost\n" + "\n".join(beyond),
            ANEW,
            ExitCode.REFUSED,
        )
    return [
        f"partition {number} of {topic.name}: {begin - offset} records were removed by retention before they were read"
        f" (offsets {offset} to {begin - 1}): they are lost to the stream"
        for number, offset in sorted(positions.items())
        if offset < (begin := topic.begin[number])
    ]


def while_running(topic: TopicState, last_identity: str | None, read: Mapping[int, int]) -> list[str]:
    """`check` of a job that runs, and cannot be refused any more: the error says how to begin anew."""
    try:
        return check(topic, last_identity, {number: offset for number, offset in read.items() if offset > 0})
    except EugenieError as error:
        raise EugenieError(
            error.reason, f"`eugenie stream stop --no-savepoint`, then {error.hint}", ExitCode.REFUSED
        ) from None
