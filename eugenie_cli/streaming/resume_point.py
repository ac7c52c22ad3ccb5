"""Where the next job resumes: the state, the offsets, and whether the readings topic still holds what comes next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from eugenie_cli.broker import positions
from eugenie_cli.broker.positions import TopicState
from eugenie_cli.engines.flink_rest import FlinkRest
from eugenie_cli.engines.job_record import JobRecord
from eugenie_cli.progress import Progress
from eugenie_cli.site.kafka import KafkaAccess
from eugenie_cli.streaming import made_rows, offsets, other_instances, start_position
from eugenie_cli.streaming.job import SiteJob
from eugenie_cli.streaming.start_position import AUTO, EARLIEST, LATEST, SAVEPOINT, Snapshot, Start


@dataclass(frozen=True)
class Place:
    """Where a job begins. Partition -> offset.

    `offsets`: where reading begins, as far as known; `start_offsets`: those that Flink must be given.
    """

    state: Snapshot | None
    topic: str | None
    """Kafka's id of the readings topic."""
    offsets: dict[int, int] = field(default_factory=dict)
    start_offsets: dict[int, int] = field(default_factory=dict)
    made_until: dict[str, int] = field(default_factory=dict)


def find(job: SiteJob, last: JobRecord | None, requested: Start, progress: Progress) -> Place:
    """Find where to resume, from what the last job left and the topic. Reports records that retention removed.

    Raises EugenieError when a required state is missing or the topic is not the one that was read (REFUSED), or when
    the brokers do not answer.
    """
    kafka, rest = job.kafka, job.rest
    topic = positions.look(kafka, job.readings)
    before = last.topic if last is not None else None
    made_until = last.made_until if last is not None else {}
    if requested.kind not in (AUTO, SAVEPOINT):
        begin_at = _requested_offsets(kafka, topic, requested)
        made_until = made_until if requested.kind == LATEST else {}
        if last is not None and _is_recreated(topic, last):
            progress.say(
                f"topic {topic.name} was recreated since the last job read it: the new job begins in the new topic;"
                " it does not repeat the last rows of the former job"
            )
            made_until = {**made_until, **made_rows.made_until(job)}
        return Place(None, topic.identity, begin_at, begin_at, made_until)
    committed = positions.committed(kafka, job.group, topic.name)
    state = start_position.state(rest, last, requested)
    if state is not None:
        read = at(rest, state, topic.name)
        if read is None and last is not None and state.path == last.resumed_from and last.offsets:
            read = last.resumes_at  # the last job began at this state, whose storage only Flink can reach
        newer = {
            number for number, offset in committed.items() if read is not None and offset > read.get(number, offset)
        }
        if requested.path is None and newer:
            progress.say(
                f"the {state.kind} {state.path} is older than the readings of a later job, whose own state cannot be"
                " found: resuming after the readings that the later job committed, with empty windows"
            )
        else:
            _say_lost(offsets.check(topic, before, committed if read is None else read), progress)
            return Place(state, topic.identity, committed if read is None else read, {}, made_until)
    elif last is not None and last.drained and last.offsets:
        return _after_a_drain(topic, last, committed, progress)
    if not committed:
        committed = other_instances.committed(job)
        if committed:
            progress.say("continuing after the readings that jobs of the site committed from other workspaces")
            _say_lost(offsets.check(topic, before, committed), progress)
            return Place(None, topic.identity, committed, committed, made_until)
    _say_lost(offsets.check(topic, before, committed), progress)
    return Place(None, topic.identity, committed, {}, made_until)


def at(rest: FlinkRest, state: Snapshot, topic: str) -> dict[int, int] | None:
    """The offsets in a state; None when only Flink can reach its storage."""
    folder = start_position.local(rest, state)
    return None if folder is None else offsets.of_snapshot(folder, topic)


def _requested_offsets(kafka: KafkaAccess, topic: TopicState, requested: Start) -> dict[int, int]:
    if requested.kind == EARLIEST:
        return topic.begin
    return topic.end if requested.ms is None else positions.at_instant(kafka, topic, requested.ms)


def _after_a_drain(topic: TopicState, last: JobRecord, committed: Mapping[int, int], progress: Progress) -> Place:
    if offsets.is_another(topic.identity, last.topic):
        progress.say(f"topic {topic.name} was recreated since the stream was drained: starting at its first record")
        made_until = last.made_until if _is_recreated(topic, last) else {}
        return Place(None, topic.identity, topic.begin, topic.begin, made_until)
    _say_lost(offsets.check(topic, last.topic, last.resumes_at), progress)
    # a partition that the drained job found empty, or that was added since, starts at its first record
    read = {**committed, **last.resumes_at}
    start = {number: max(read.get(number, 0), begin) for number, begin in topic.begin.items()}
    return Place(None, topic.identity, start, start, last.made_until)


def _is_recreated(topic: TopicState, last: JobRecord) -> bool:
    """Whether the last job read a topic of this name that no longer exists."""
    name = last.shape.get("kafka", {}).get("readings", topic.name)
    return bool(name == topic.name) and offsets.is_another(topic.identity, last.topic)


def _say_lost(messages: list[str], progress: Progress) -> None:
    for message in messages:
        progress.say(message)
