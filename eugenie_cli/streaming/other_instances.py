"""Jobs of the same site that other workspaces have submitted, as the broker shows them by their consumer groups.

Flink's source does not join its group, so the broker lists no members. A group whose committed offsets advance belongs
to a running job.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from eugenie_cli.broker import consume, groups, positions
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.flink_job.spec import AT, consumer_group
from eugenie_cli.progress import Progress
from eugenie_cli.site.kafka import KafkaAccess
from eugenie_cli.streaming.job import SiteJob

Offsets = Mapping[int, int]

POLL_S = 0.5
QUIET_S = 3.0
"""How long to watch a group that has read everything, on a topic in which nothing arrives: it has nothing to commit."""
SHORTEST_S, LONGEST_S = 5.0, 25.0
"""How long to watch a group: two of its checkpoints, but no less on a busy machine, and no more than two at the default
interval."""
STALE_S = 60.0
"""A record that waits for longer is not read by a running job, unless that job is far behind."""


def committed(job: SiteJob) -> dict[int, int]:
    """Partition -> the furthest offset that jobs of the site committed from other workspaces. Raises EugenieError."""
    furthest: dict[int, int] = {}
    for offsets in _others(job).values():
        for number, offset in offsets.items():
            furthest[number] = max(furthest.get(number, 0), offset)
    return furthest


def refuse(job: SiteJob, checkpoint_ms: int, progress: Progress) -> None:
    """Raise EugenieError (REFUSED) when a job of the site from another workspace is running, and name it.

    Takes no time where no other workspace ran one recently; else at most two intervals of checkpoints.
    """
    before = {name: offsets for name, offsets in _others(job).items() if _is_recent(job, offsets, checkpoint_ms)}
    if not before:
        return
    end = positions.look(job.kafka, job.readings).end
    quiet = all(offsets.get(number, 0) >= last for offsets in before.values() for number, last in end.items())
    began = time.monotonic()
    within_s = min(max(2 * checkpoint_ms / 1000 + 1, SHORTEST_S), LONGEST_S)
    with progress.task(f"checking whether a job of {job.site_name} from another workspace is running"):
        while (passed := time.monotonic() - began) < within_s:
            time.sleep(POLL_S)
            now = {name: positions.committed(job.kafka, name, job.readings) for name in before}
            read = advanced(before, now)
            if read:
                raise _refusal(job, read)
            if quiet and passed > QUIET_S and positions.look(job.kafka, job.readings).end == end:
                break
    if quiet:
        progress.say(
            f"{', '.join(map(_words, before))} may be running: it has read all readings, and none arrive that would"
            " show it"
        )


def advanced(before: Mapping[str, Offsets], now: Mapping[str, Offsets]) -> dict[str, int]:
    """Group -> the number of records by which its offsets have advanced; omits groups that stand still."""
    read = {
        name: sum(max(offset - before[name].get(number, 0), 0) for number, offset in offsets.items())
        for name, offsets in now.items()
    }
    return {name: records for name, records in read.items() if records}


def is_other(name: str, own: str, site: str) -> bool:
    """Whether a consumer group belongs to a job of the site from another workspace."""
    first = consumer_group(site)
    return name != own and (name == first or name.startswith(f"{first}{AT}"))


def _others(job: SiteJob) -> dict[str, dict[int, int]]:
    """Group -> partition -> committed offset. Where listing groups is not allowed, only the group without an id."""
    own, site = job.group, job.site_name
    names = groups.names(job.kafka, lambda name: is_other(name, own, site))
    if names is None:
        names = [name for name in (consumer_group(site),) if is_other(name, own, site)]
    by_group = {name: positions.committed(job.kafka, name, job.readings) for name in names}
    return {name: offsets for name, offsets in by_group.items() if offsets}


def _is_recent(job: SiteJob, offsets: Offsets, checkpoint_ms: int) -> bool:
    """Whether the first record that a group has not read arrived recently, or does not exist yet."""
    arrived = _first_unread_ms(job.kafka, job.readings, offsets)
    return arrived is None or time.time() * 1000 - arrived < max(1000 * STALE_S, 3 * checkpoint_ms)


def _first_unread_ms(kafka: KafkaAccess, topic: str, offsets: Offsets) -> int | None:
    marks = positions.marks(kafka, topic)
    unread = {number: max(offset, marks[number][0]) for number, offset in offsets.items() if number in marks}
    arrived: list[int] = []
    for number, offset in unread.items():
        if offset < marks[number][1]:
            record = next(consume.stream(kafka, topic, begin={number: offset}, until_end=True), None)
            arrived += [record.timestamp_ms] if record is not None else []
    return min(arrived, default=None)


def _refusal(job: SiteJob, read: Mapping[str, int]) -> EugenieError:
    running = "; ".join(f"{_words(name)} has just read {records} records" for name, records in read.items())
    return EugenieError(
        f"a job of the site {job.site_name} is running elsewhere, and both would write every row to the same topics:"
        f" {running} of {job.readings}",
        "stop it where it was submitted (`eugenie stream stop`); for a trial, give a copy of the site file another"
        " `site:` name, and with it topics of its own; `--beside` submits the job all the same",
        ExitCode.REFUSED,
    )


def _words(name: str) -> str:
    instance = name.partition(AT)[2]
    host = instance.rpartition("-")[0]
    return f"group {name}" + (f", submitted on {host}," if host else "")
