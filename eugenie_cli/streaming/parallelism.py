"""Refuses a parallelism above the number of shards, or of partitions of the readings topic."""

from __future__ import annotations

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.flink_job.spec import JobSpec


def check_partitions(spec: JobSpec, *, of_site_file: bool = False) -> None:
    """Raise EugenieError (REFUSED) when the job has more tasks than the topic has partitions, which cannot be split.

    `of_site_file`: the number of partitions comes from `kafka.partitions`, because the topic cannot be queried.
    """
    if spec.parallelism <= spec.partitions:
        return
    most, topic = spec.partitions, spec.kafka.readings
    has = f"the {most} partition{'s' if most > 1 else ''} of the topic {topic}"
    fewer = f"choose at most {most}: --parallelism, or stream.parallelism in the site file"
    more = f"give the topic {spec.parallelism} partitions (docs/operations.md, Parallelism)"
    if of_site_file:
        has += " according to kafka.partitions in the site file"
        fewer = f"write stream: {{parallelism: {most}}}"
        more = f"kafka: {{partitions: {spec.parallelism}}} if the topic has that many"
    idle = spec.parallelism - most
    raise EugenieError(
        f"a parallelism of {spec.parallelism} is more than {has}: {idle} task{'s' if idle > 1 else ''} would have"
        " nothing to read",
        f"{fewer}; or {more}",
        ExitCode.REFUSED,
    )


def check_shards(spec: JobSpec) -> None:
    """Refuse a parallelism above the number of shards, into which assets are grouped."""
    if spec.parallelism > spec.shards:
        raise EugenieError(
            f"a parallelism of {spec.parallelism} is more than the {spec.shards} shards into which assets are grouped:"
            " the remaining tasks would have nothing to do",
            f"choose at most {spec.shards}: --parallelism, or stream.parallelism in the site file",
            ExitCode.REFUSED,
        )
