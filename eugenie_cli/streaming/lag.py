"""The job's lag: what the readings topic holds, compared with what the job has read."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from types import MappingProxyType

from eugenie_cli.broker import consume, positions
from eugenie_cli.engines.flink_rest import FlinkRest
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.site.kafka import KafkaAccess

POLL_S = 0.5
LOOK_S = 3.0
"""After this long without progress, the topic is asked whether it holds a record at all: what follows the last one may
be markers of transactions, which no job reads."""
STALLED_S = 60.0
"""The wait ends after this long without progress."""

NOWHERE: Mapping[int, int] = MappingProxyType({})

_OFFSET = re.compile(r"\.partition\.(\d+)\.(currentOffset|committedOffset)$")


def end_offsets(kafka: KafkaAccess, topic: str) -> dict[int, int]:
    """Partition -> the offset after its last record. Raises EugenieError."""
    return {number: end for number, (_, end) in positions.marks(kafka, topic).items()}


def read_offsets(rest: FlinkRest, job_id: str, begun: Mapping[int, int] = NOWHERE) -> dict[int, int]:
    """Partition -> the offset after the last record that the job has read, as of a second or two ago.

    `begun`: where the job began to read, which holds for partitions from which it has read nothing yet.
    """
    read = dict(begun)
    job = rest.job(job_id)
    for vertex in job["vertices"] if job is not None else []:
        for name, value in rest.metrics(job_id, vertex["id"], lambda name: _OFFSET.search(name) is not None).items():
            match = _OFFSET.search(name)
            if match is not None:  # currentOffset is that of the last record read; committedOffset is one past it
                after = int(value.most) + (match[2] == "currentOffset")
                read[int(match[1])] = max(read.get(int(match[1]), 0), after)
    return read


def behind(ends: Mapping[int, int], read: Mapping[int, int]) -> int:
    """The number of records before `ends` (partition -> offset) that have not been read."""
    return sum(max(end - read.get(number, 0), 0) for number, end in ends.items())


def wait_until_caught_up(
    kafka: KafkaAccess, rest: FlinkRest, job_id: str, begun: Mapping[int, int], progress: Progress = SILENT
) -> int:
    """Wait until the job has read what the topic holds now. Returns the number of unread offsets: 0 unless it stalled.

    Records that arrive meanwhile do not count: on a live topic the wait would never end.
    """
    topic = str(kafka.topics.readings)
    ends = end_offsets(kafka, topic)
    read = read_offsets(rest, job_id, begun)
    left = behind(ends, read)
    moved = time.monotonic()
    looked = False
    with progress.task("reading the remaining records", total=left, unit="records") as advance:
        while left > 0 and (still := time.monotonic() - moved) < STALLED_S:
            if still > LOOK_S and not looked:
                looked = True
                if not holds_records(kafka, topic, read, ends):
                    break
            time.sleep(POLL_S)
            read = read_offsets(rest, job_id, begun)
            remaining = behind(ends, read)
            if remaining < left:
                moved, looked = time.monotonic(), False
            advance(left - remaining)
            left = remaining
    return left


def holds_records(kafka: KafkaAccess, topic: str, read: Mapping[int, int], ends: Mapping[int, int]) -> bool:
    """Whether a committed record lies between `read` and `ends` (partition -> offset). Raises EugenieError.

    Offsets may also be those of transaction markers, or of records that were aborted, compacted or removed.
    """
    begin = {number: read.get(number, 0) for number, end in ends.items() if read.get(number, 0) < end}
    if not begin:
        return False
    records = consume.stream(kafka, topic, begin=begin, until_end=True)
    return any(record is not None and record.offset < ends[record.partition] for record in records)
