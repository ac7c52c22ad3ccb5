"""How far the job is behind its topic: what Kafka has, against what the job has read."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

from eugenie_cli.broker import positions
from eugenie_cli.engines.flink_rest import FlinkRest
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.site.interfaces import HasKafka

POLL_S = 0.5
STALLED_S = 60.0
"""Without progress for this long the wait ends: the end of a topic may be a transaction marker, which no job reads."""

_OFFSET = re.compile(r"\.partition\.(\d+)\.(currentOffset|committedOffset)$")


def end_offsets(site: HasKafka, topic: str) -> dict[int, int]:
    """Partition -> the offset after its last record. Raises EugenieError."""
    return {number: end for number, (_, end) in positions.marks(site, topic).items()}


def read_offsets(rest: FlinkRest, job_id: str) -> dict[int, int]:
    """Partition -> the offset after the last record that the job has read. A second or two old."""
    read: dict[int, int] = {}
    job = rest.job(job_id)
    for vertex in job["vertices"] if job is not None else []:
        for name, value in rest.metrics(job_id, vertex["id"], lambda name: _OFFSET.search(name) is not None).items():
            found = _OFFSET.search(name)
            if found is not None:  # the offset of the last record read; the offset that was committed, after it
                after = int(value.most) + (found[2] == "currentOffset")
                read[int(found[1])] = max(read.get(int(found[1]), 0), after)
    return read


def behind(ends: Mapping[int, int], read: Mapping[int, int]) -> int:
    """Records up to `ends` (offsets, by partition) that were not read."""
    return sum(max(end - read.get(number, 0), 0) for number, end in ends.items())


def wait_until_caught_up(site: HasKafka, rest: FlinkRest, job_id: str, progress: Progress = SILENT) -> int:
    """Wait until the job has read what the topic holds now; returns what was left, 0 unless nothing moved any more.

    What arrives meanwhile is not waited for: on a live topic that would have no end.
    """
    ends = end_offsets(site, str(site.topics.readings))
    left = behind(ends, read_offsets(rest, job_id))
    moved = time.monotonic()
    with progress.task("reading what is left", total=left, unit="records") as advance:
        while left > 0 and time.monotonic() - moved < STALLED_S:
            time.sleep(POLL_S)
            now = behind(ends, read_offsets(rest, job_id))
            if now < left:
                moved = time.monotonic()
            advance(left - now)
            left = now
    return left
