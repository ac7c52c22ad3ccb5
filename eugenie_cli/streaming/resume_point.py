"""Where the next job goes on: the state, the offsets, and whether the readings topic still has what comes there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from eugenie_cli.broker import positions
from eugenie_cli.broker.positions import TopicState
from eugenie_cli.engines.flink_rest import FlinkRest
from eugenie_cli.engines.job_record import JobRecord
from eugenie_cli.flink_job.spec import consumer_group
from eugenie_cli.progress import Progress
from eugenie_cli.site.interfaces import HasKafka
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming import offsets, start_position
from eugenie_cli.streaming.start_position import AUTO, EARLIEST, LATEST, SAVEPOINT, Snapshot, Start


@dataclass(frozen=True)
class Place:
    """Where a job begins. By number of the partition: `known` the offsets, `told` those that Flink must be told."""

    state: Snapshot | None
    topic: str | None
    """Kafka's id of the readings topic."""
    known: dict[int, int] = field(default_factory=dict)
    told: dict[int, int] = field(default_factory=dict)
    made_until: dict[str, int] = field(default_factory=dict)


def find(site: Site, rest: FlinkRest, last: JobRecord | None, asked: Start, progress: Progress) -> Place:
    """Look at what the last job left, and at the topic. What retention removed is said.

    Raises EugenieError: a state is insisted on and there is none, or the topic is not the one that was read (REFUSED);
    the brokers do not answer.
    """
    topic = positions.look(site, str(site.topics.readings))
    before = last.topic if last is not None else None
    made = last.made_until if last is not None else {}
    if asked.kind not in (AUTO, SAVEPOINT):
        told = _asked_for(site, topic, asked)
        return Place(None, topic.identity, told, told, made if asked.kind == LATEST else {})
    committed = positions.committed(site, consumer_group(site.site), topic.name)
    state = start_position.state(rest, last, asked)
    if state is not None:
        read = at(rest, state, topic.name)
        newer = {one for one, offset in committed.items() if read is not None and offset > read.get(one, offset)}
        if asked.path is None and newer:
            progress.say(
                f"the {state.kind} {state.path} is older than what a later job has read, whose own state cannot be"
                " found: going on after the readings that it had committed, with empty windows"
            )
        else:
            _say_lost(offsets.check(topic, before, committed if read is None else read), progress)
            return Place(state, topic.identity, committed if read is None else read, {}, made)
    elif last is not None and last.drained and last.offsets:
        return _after_a_drain(topic, last, committed, progress)
    _say_lost(offsets.check(topic, before, committed), progress)
    return Place(None, topic.identity, committed, {}, made)


def at(rest: FlinkRest, state: Snapshot, topic: str) -> dict[int, int] | None:
    """The offsets of a state; None when it lies where only Flink can look."""
    folder = start_position.local(rest, state)
    return None if folder is None else offsets.of_snapshot(folder, topic)


def _asked_for(site: HasKafka, topic: TopicState, asked: Start) -> dict[int, int]:
    if asked.kind == EARLIEST:
        return topic.begin
    return topic.end if asked.ms is None else positions.at_instant(site, topic, asked.ms)


def _after_a_drain(topic: TopicState, last: JobRecord, committed: Mapping[int, int], progress: Progress) -> Place:
    if None not in (last.topic, topic.identity) and last.topic != topic.identity:
        progress.say(f"topic {topic.name} was made anew since the stream was drained: beginning with its first record")
        return Place(None, topic.identity, topic.begin, topic.begin)
    _say_lost(offsets.check(topic, last.topic, last.resumes_at), progress)
    # a partition that the drained job had found empty, or that came since, begins with its first record
    read = {**committed, **last.resumes_at}
    told = {number: max(read.get(number, 0), begin) for number, begin in topic.begin.items()}
    return Place(None, topic.identity, told, told, last.made_until)


def _say_lost(words: list[str], progress: Progress) -> None:
    for one in words:
        progress.say(one)
